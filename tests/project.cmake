# Tests of the project as a whole: layers, format, documents, exported symbols and the installed package.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(scripts ${PROJECT_SOURCE_DIR}/scripts)

# project_test(name LABEL label COMMAND command...): exit status 77 counts as skipped.
function(project_test name)
    cmake_parse_arguments(PARSE_ARGV 1 TEST "" "LABEL" "COMMAND")
    add_test(NAME ${name} COMMAND ${TEST_COMMAND})
    set_tests_properties(${name} PROPERTIES LABELS ${TEST_LABEL} SKIP_RETURN_CODE 77 TIMEOUT 600)
endfunction()

project_test(layers LABEL quick COMMAND ${Python3_EXECUTABLE} ${scripts}/check_layers.py)
project_test(layers_self_test LABEL quick COMMAND ${Python3_EXECUTABLE} ${scripts}/check_layers.py --self-test)
project_test(format LABEL quick COMMAND sh ${scripts}/check_format.sh)

# Examples in documents are compiled as a reader would, with this build's compiler, flags and libraries.
separate_arguments(flags UNIX_COMMAND "${CMAKE_C_FLAGS}")
list(TRANSFORM SLUICE_OPENMP_LIBRARIES PREPEND -l REGEX "^[^/]" OUTPUT_VARIABLE openmp)
set(compile ${CMAKE_C_COMPILER} ${flags} -std=c11 -Wall -Wextra -Wpedantic -Werror -I${PROJECT_SOURCE_DIR}/include
    {source} -o {program} $<TARGET_FILE:sluice_io> $<TARGET_FILE:sluice> ${JANSSON_LDFLAGS} ${openmp} -lm
    -Wl,-rpath,$<TARGET_FILE_DIR:sluice_io>:$<TARGET_FILE_DIR:sluice>)
project_test(docs LABEL quick COMMAND ${Python3_EXECUTABLE} ${scripts}/check_docs.py ${compile})
project_test(docs_self_test LABEL quick COMMAND ${Python3_EXECUTABLE} ${scripts}/check_docs.py --self-test ${compile})

if(TARGET sluice_bnns)
    project_test(apple LABEL quick COMMAND ${Python3_EXECUTABLE} ${scripts}/check_apple.py)
    add_executable(bnns_probe ${PROJECT_SOURCE_DIR}/compat/probe/bnns_probe.c probe_switch.c)
    target_link_libraries(bnns_probe PRIVATE sluice_bnns sluice_rules m)
    project_test(apple_probe LABEL quick
        COMMAND ${Python3_EXECUTABLE} ${scripts}/check_apple.py --probe BNNS $<TARGET_FILE:bnns_probe>)
    add_executable(mpsgraph_probe ${PROJECT_SOURCE_DIR}/compat/probe/mpsgraph_probe.c)
    target_link_libraries(mpsgraph_probe PRIVATE sluice_mpsgraph sluice_rules m)
    project_test(apple_mpsgraph_probe LABEL quick
        COMMAND ${Python3_EXECUTABLE} ${scripts}/check_apple.py --probe MPSGraph $<TARGET_FILE:mpsgraph_probe>)
    add_executable(mps_probe ${PROJECT_SOURCE_DIR}/compat/probe/mps_probe.c)
    target_link_libraries(mps_probe PRIVATE sluice_mps sluice_rules m)
    project_test(apple_mps_probe LABEL quick
        COMMAND ${Python3_EXECUTABLE} ${scripts}/check_apple.py --probe MPS $<TARGET_FILE:mps_probe>)
endif()
project_test(apple_self_test LABEL quick COMMAND ${Python3_EXECUTABLE} ${scripts}/check_apple.py --self-test)

# What programs see of the libraries. Instrumented builds are not what is installed, so these are no quick tests.
set(symbols ${CMAKE_COMMAND} -E env CC=${CMAKE_C_COMPILER} ${Python3_EXECUTABLE} ${scripts}/check_symbols.py)
set(libraries $<TARGET_FILE:sluice> $<TARGET_FILE:sluice_io>)
foreach(front_end sluice_bnns sluice_mpsgraph sluice_mps)
    if(TARGET ${front_end})
        list(APPEND libraries $<TARGET_FILE:${front_end}>)
    endif()
endforeach()
project_test(symbols LABEL package COMMAND ${symbols} ${libraries})
project_test(symbols_self_test LABEL package COMMAND ${symbols} --self-test)

# The installed package, as a stranger uses it. The C++ compiler is the twin of the C compiler.
string(REGEX REPLACE "gcc([^/]*)$" "g++\\1" cxx "${CMAKE_C_COMPILER}")
string(REGEX REPLACE "clang([^/]*)$" "clang++\\1" cxx "${cxx}")
string(REGEX REPLACE "/cc$" "/c++" cxx "${cxx}")
set(environment ${CMAKE_COMMAND} -E env CC=${CMAKE_C_COMPILER} CXX=${cxx} CMAKE=${CMAKE_COMMAND}
    CMAKE_GENERATOR=${CMAKE_GENERATOR} PYTHON=${Python3_EXECUTABLE} SOURCE=${PROJECT_SOURCE_DIR})
set(consumer sh ${CMAKE_CURRENT_SOURCE_DIR}/consumer/consumer.sh)
if(NOT BUILD_SHARED_LIBS AND TARGET sluice_bnns)
    project_test(consumer_static LABEL package COMMAND ${environment} ${consumer} static ${PROJECT_BINARY_DIR})
endif()
project_test(consumer_shared LABEL package
    COMMAND ${environment} ${consumer} shared ${PROJECT_BINARY_DIR} ${CMAKE_LIBRARY_ARCHITECTURE})
