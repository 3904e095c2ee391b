# cmake --install BUILD [--prefix /usr]: programs, units, man pages, completions, configuration and examples where they belong; the
# package (Package.cmake) is made of the same. A path or a text that depends on the prefix is determined only during the
# installation, because --prefix is an option of it.
set(MDPIPE_PROGRAMS ws-reader md-publisher metrics-agent exchange-sim mdpipe-keygen)

install(TARGETS ${MDPIPE_PROGRAMS} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# metrics-agent looks for them in ../lib/mdpipe.
install(TARGETS mdpipe_ssl_names mdpipe_crypto_names LIBRARY DESTINATION lib/mdpipe)

# Configuration is in /etc/mdpipe for programs in /usr and /usr/local, else below the prefix. Debian's zsh has its own folder for
# what packages bring. Both are known to the install(CODE) that follow.
install(CODE "
  if(CMAKE_INSTALL_PREFIX MATCHES \"^/usr(/local)?/?$\")
    set(MDPIPE_SYSCONFDIR /etc/mdpipe)
  else()
    set(MDPIPE_SYSCONFDIR \"\${CMAKE_INSTALL_PREFIX}/etc/mdpipe\")
  endif()
  if(CMAKE_INSTALL_PREFIX MATCHES \"^/usr/?$\" AND EXISTS /etc/debian_version)
    set(MDPIPE_ZSH_FOLDER vendor-completions)
  else()
    set(MDPIPE_ZSH_FOLDER site-functions)
  endif()
  set(MDPIPE_BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")")

set(MDPIPE_SERVICES ws-reader@.service md-publisher.service metrics-agent.service)
install(CODE "
  foreach(file ${MDPIPE_SERVICES} mdpipe.tmpfiles.conf)
    configure_file(\"${PROJECT_SOURCE_DIR}/systemd/\${file}.in\" \"${PROJECT_BINARY_DIR}/systemd/\${file}\" @ONLY)
  endforeach()")
list(TRANSFORM MDPIPE_SERVICES PREPEND ${PROJECT_BINARY_DIR}/systemd/ OUTPUT_VARIABLE units)
install(FILES ${units} ${PROJECT_SOURCE_DIR}/systemd/mdpipe.target DESTINATION lib/systemd/system)
install(FILES ${PROJECT_SOURCE_DIR}/systemd/mdpipe.sysusers.conf DESTINATION lib/sysusers.d RENAME mdpipe.conf)
install(FILES ${PROJECT_BINARY_DIR}/systemd/mdpipe.tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME mdpipe.conf)

# What an administrator has changed stays as it is. (A package leaves that to dpkg: it has all of them, as conffiles.)
file(GLOB MDPIPE_CONFIGURATION CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.toml)
install(CODE "
  foreach(file ${MDPIPE_CONFIGURATION})
    get_filename_component(name \${file} NAME)
    if(NOT EXISTS \"\$ENV{DESTDIR}\${MDPIPE_SYSCONFDIR}/\${name}\")
      file(INSTALL \${file} DESTINATION \${MDPIPE_SYSCONFDIR})
    endif()
  endforeach()")

find_program(MDPIPE_GZIP gzip REQUIRED)
file(GLOB man_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.[17])
foreach(page ${man_pages})
  cmake_path(GET page FILENAME name)
  string(REGEX MATCH "[17]$" section ${name})
  set(compressed ${PROJECT_BINARY_DIR}/man/${name}.gz)
  add_custom_command(OUTPUT ${compressed} DEPENDS ${page} VERBATIM
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
    COMMAND ${MDPIPE_GZIP} -9nc ${page} > ${compressed})
  list(APPEND compressed_pages ${compressed})
  install(FILES ${compressed} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
add_custom_target(mdpipe_man_pages ALL DEPENDS ${compressed_pages})

# The programs write their own completions, so these cannot lag behind the options.
foreach(program ${MDPIPE_PROGRAMS})
  set(bash ${PROJECT_BINARY_DIR}/completions/bash/${program})
  set(zsh ${PROJECT_BINARY_DIR}/completions/zsh/_${program})
  add_custom_command(OUTPUT ${bash} ${zsh}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/completions/bash ${PROJECT_BINARY_DIR}/completions/zsh
    COMMAND ${program} --completion bash > ${bash}
    COMMAND ${program} --completion zsh > ${zsh}
    DEPENDS ${program} COMMENT "Completions of ${program}" VERBATIM)
  list(APPEND completions ${bash} ${zsh})
  install(FILES ${bash} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(CODE "file(INSTALL \"${zsh}\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${MDPIPE_ZSH_FOLDER}\")")
endforeach()
add_custom_target(mdpipe_completions ALL DEPENDS ${completions})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.toml")
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/docs/configuration.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
