# cmake --install BUILD [--prefix /usr]: programs, units, man pages, completions and examples where they belong. Nothing goes to
# /etc: the examples in share/doc/mdpipe/examples are to be copied to /etc/mdpipe.
set(MDPIPE_PROGRAMS ws-reader md-publisher metrics-agent exchange-sim)

install(TARGETS ${MDPIPE_PROGRAMS} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# metrics-agent looks for them in ../lib/mdpipe.
install(TARGETS mdpipe_ssl_names mdpipe_crypto_names LIBRARY DESTINATION lib/mdpipe)

# Units name the programs by their full path, which is known only now where --prefix is given.
set(MDPIPE_UNIT_TEMPLATES ws-reader@.service md-publisher.service metrics-agent.service)
install(CODE "
  set(MDPIPE_BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
  foreach(unit ${MDPIPE_UNIT_TEMPLATES})
    configure_file(\"${PROJECT_SOURCE_DIR}/systemd/\${unit}.in\" \"${PROJECT_BINARY_DIR}/systemd/\${unit}\" @ONLY)
  endforeach()")
list(TRANSFORM MDPIPE_UNIT_TEMPLATES PREPEND ${PROJECT_BINARY_DIR}/systemd/ OUTPUT_VARIABLE units)
install(FILES ${units} ${PROJECT_SOURCE_DIR}/systemd/mdpipe.target DESTINATION lib/systemd/system)
install(FILES ${PROJECT_SOURCE_DIR}/systemd/mdpipe.sysusers.conf DESTINATION lib/sysusers.d RENAME mdpipe.conf)
install(FILES ${PROJECT_SOURCE_DIR}/systemd/mdpipe.tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME mdpipe.conf)

file(GLOB man1 CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.1)
file(GLOB man7 CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.7)
install(FILES ${man1} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${man7} DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)

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
  install(FILES ${zsh} DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
endforeach()
add_custom_target(mdpipe_completions ALL DEPENDS ${completions})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.toml")
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/LICENSE
  ${PROJECT_SOURCE_DIR}/docs/configuration.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
