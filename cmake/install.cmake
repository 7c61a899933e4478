# Installs the libraries, headers, the CMake package and the pkg-config files, such that the whole tree may be moved.
include(CMakePackageConfigHelpers)
set(SLUICE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/sluice)
set(SLUICE_PC_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The libraries are exported apart: who wants the core alone needs no jansson and no BNNS.
install(TARGETS sluice EXPORT sluiceTargets)
install(FILES include/sluice/sluice.h include/sluice/ops.h include/sluice/streams.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice)
install(EXPORT sluiceTargets NAMESPACE sluice:: DESTINATION ${SLUICE_PACKAGE_DIR})
if(TARGET sluice_io)
    install(TARGETS sluice_io EXPORT sluiceIoTargets)
    install(FILES include/sluice/io.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice)
    install(EXPORT sluiceIoTargets NAMESPACE sluice:: DESTINATION ${SLUICE_PACKAGE_DIR})
endif()
if(TARGET sluice_bnns)
    install(TARGETS sluice_bnns EXPORT sluiceBnnsTargets)
    install(FILES include/sluice/bnns.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice)
    # Where it is installed Accelerate.h finds bnns.h by its own place, so that its folder is the only one a program names.
    file(READ compat/Accelerate/Accelerate.h accelerate)
    string(REPLACE "<sluice/bnns.h>" "\"../../bnns.h\"" accelerate "${accelerate}")
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/package/Accelerate.h CONTENT "${accelerate}" @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/package/Accelerate.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice/compat/Accelerate)
    install(EXPORT sluiceBnnsTargets NAMESPACE sluice:: DESTINATION ${SLUICE_PACKAGE_DIR})
endif()

configure_package_config_file(cmake/sluiceConfig.cmake.in ${PROJECT_BINARY_DIR}/package/sluiceConfig.cmake
    INSTALL_DESTINATION ${SLUICE_PACKAGE_DIR} NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break what links against it.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/sluiceConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/sluiceConfig.cmake ${PROJECT_BINARY_DIR}/package/sluiceConfigVersion.cmake
    DESTINATION ${SLUICE_PACKAGE_DIR})

# pkg-config: the prefix is found from the .pc file's own place, however deep the library directory lies.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(SLUICE_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
else()
    file(RELATIVE_PATH up /prefix/${SLUICE_PC_DIR} /prefix)
    string(REGEX REPLACE "/$" "" up "${up}")
    set(SLUICE_PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(kind LIB INCLUDE)
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${kind}DIR}")
        set(SLUICE_PC_${kind}DIR ${CMAKE_INSTALL_${kind}DIR})
    else()
        set(SLUICE_PC_${kind}DIR "\${prefix}/${CMAKE_INSTALL_${kind}DIR}")
    endif()
endforeach()

# What a static core asks of its consumer. An installed static library serves `pkg-config --libs` with and without
# --static, because then it is the only library there is.
set(SLUICE_LINK_LIBRARIES -lm)
foreach(library ${SLUICE_OPENMP_LIBRARIES})
    if(IS_ABSOLUTE ${library})
        list(APPEND SLUICE_LINK_LIBRARIES ${library})
    else()
        list(APPEND SLUICE_LINK_LIBRARIES -l${library})
    endif()
endforeach()
string(JOIN " " needs ${SLUICE_LINK_LIBRARIES})
if(BUILD_SHARED_LIBS)
    set(SLUICE_PC_PRIVATE ${needs})
    set(SLUICE_PC_REQUIRES_PRIVATE jansson)
else()
    set(SLUICE_PC_PUBLIC ${needs})
    set(SLUICE_PC_REQUIRES ", jansson")
endif()
configure_file(cmake/sluice.pc.in ${PROJECT_BINARY_DIR}/package/sluice.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/sluice.pc DESTINATION ${SLUICE_PC_DIR})
if(TARGET sluice_io)
    configure_file(cmake/sluice-io.pc.in ${PROJECT_BINARY_DIR}/package/sluice-io.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/package/sluice-io.pc DESTINATION ${SLUICE_PC_DIR})
endif()
if(TARGET sluice_bnns)
    configure_file(cmake/sluice-bnns.pc.in ${PROJECT_BINARY_DIR}/package/sluice-bnns.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/package/sluice-bnns.pc DESTINATION ${SLUICE_PC_DIR})
endif()

# Installed shared libraries are found from where their users lie.
if(BUILD_SHARED_LIBS AND UNIX AND NOT APPLE AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    file(RELATIVE_PATH to_libraries /prefix/${CMAKE_INSTALL_BINDIR} /prefix/${CMAKE_INSTALL_LIBDIR})
    foreach(target sluice_io sluice_bnns sluice_command)
        if(TARGET ${target})
            set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN;$ORIGIN/${to_libraries}")
        endif()
    endforeach()
endif()
