# A package for Debian of what `cmake --install --prefix /usr` installs: `cpack --config BUILD/CPackConfig.cmake`. Its scripts are in
# cmake/deb; configuration in /etc/mdpipe is dpkg's to keep (conffiles).
set(MDPIPE_PACKAGE_MAINTAINER "mdpipe authors <mdpipe@users.noreply.github.com>" CACHE STRING "Maintainer of the package: Name <address>")
set(MDPIPE_PACKAGE_RELEASE 1 CACHE STRING "Debian's revision: increase it to package the same version again")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME mdpipe)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR})
set(CPACK_STRIP_FILES ON)
# With DESTDIR, the units contain the paths of the installed programs, not those of the packaging folder.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${MDPIPE_PACKAGE_RELEASE})
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${MDPIPE_PACKAGE_MAINTAINER})
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Small programs that read market data of crypto exchanges over WebSocket
and write each event to Redis Streams once, with metrics for Prometheus,
StatsD, OpenTelemetry and CloudWatch that show whether the data is complete.

ws-reader reads one exchange, md-publisher writes to Redis, metrics-agent
serves the metrics; exchange-sim imitates an exchange for testing.")

# dpkg-shlibdeps sees what is linked. libcurl is loaded when it is needed; without the authorities' certificates no exchange is
# trusted; the last two make the user and the folders.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
if(CMAKE_CROSSCOMPILING)  # in the libraries of scripts/sysroot.sh; complete.cmake names their database
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${MDPIPE_DEBIAN_ARCHITECTURE})
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_SYSROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}
    ${CMAKE_SYSROOT}/lib/${CMAKE_LIBRARY_ARCHITECTURE})
  set(CPACK_MDPIPE_SYSROOT ${CMAKE_SYSROOT})
endif()
set(CPACK_DEBIAN_PACKAGE_DEPENDS
  "libcurl4, ca-certificates, systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "redis-server")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "redis-tools, jq, prometheus, prometheus-alertmanager")

set(deb ${PROJECT_SOURCE_DIR}/cmake/deb)
list(TRANSFORM MDPIPE_CONFIGURATION REPLACE ".*/" "/etc/mdpipe/" OUTPUT_VARIABLE conffiles)
list(JOIN conffiles "\n" conffiles)
file(WRITE ${PROJECT_BINARY_DIR}/deb/conffiles "${conffiles}\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/deb/conffiles ${deb}/postinst ${deb}/prerm ${deb}/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${deb}/complete.cmake)
include(CPack)
