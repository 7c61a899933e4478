# Installs the libraries, headers, the CMake package and the pkg-config file.
