# The warnings and the arithmetic rules that every target of this project is compiled with.
add_library(sluice_rules INTERFACE)
target_compile_options(sluice_rules INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
    # Rounding is what the source says: a product and a sum stay two operations unless the source says fma.
    -ffp-contract=off
    $<$<BOOL:${SLUICE_WERROR}>:-Werror>)
