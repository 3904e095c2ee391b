# Run by CPack before it packs: Debian's changelog, which only a package has. What changed is in CHANGELOG.md; this says which release
# it is. Its date is SOURCE_DATE_EPOCH's, so that the same sources make the same package, or now.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(folder ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/doc/mdpipe)
file(WRITE ${folder}/changelog.Debian "mdpipe (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * Release ${CPACK_PACKAGE_VERSION}: /usr/share/doc/mdpipe/CHANGELOG.md says what is new.

 -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}
")
execute_process(COMMAND gzip -9n ${folder}/changelog.Debian COMMAND_ERROR_IS_FATAL ANY)
# dpkg-deb packs modes as they are; a umask of the builder must not reach the user.
execute_process(COMMAND chmod -R u=rwX,go=rX ${CPACK_TEMPORARY_INSTALL_DIRECTORY} COMMAND_ERROR_IS_FATAL ANY)
# A package for another architecture: dpkg-shlibdeps, which CPack runs next, asks about that one's libraries, not this host's.
if(CPACK_MDPIPE_SYSROOT)
  set(ENV{DEB_HOST_ARCH} ${CPACK_DEBIAN_PACKAGE_ARCHITECTURE})
  set(ENV{DPKG_ADMINDIR} ${CPACK_MDPIPE_SYSROOT}/var/lib/dpkg)
endif()
