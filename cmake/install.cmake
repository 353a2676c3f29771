# Where files go. The package (debian/rules) has all of them below /usr, where the units find the programs. ./dev install puts
# the component "programs" below /usr/local.
include(GNUInstallDirs)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME programs)
install(TARGETS isolate isolatectl seccomp_wrapper RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS isolated RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS isolate-init isolate-lxc isolate-wayland isolate-x11 isolate-zfs RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/isolate) # isolate looks for it there

set(ISOLATE_UNIT_DIR lib/systemd/system CACHE STRING "where systemd looks for units; absolute, or below the prefix")
set(data ${PROJECT_SOURCE_DIR}/data)
foreach(section 1 5 8)
  file(GLOB pages CONFIGURE_DEPENDS ${data}/man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

install(DIRECTORY ${data}/systemd/ DESTINATION ${ISOLATE_UNIT_DIR} COMPONENT service)
install(FILES ${data}/config.toml DESTINATION /etc/isolate COMPONENT service)
install(FILES ${data}/sysusers.d/isolate.conf DESTINATION lib/sysusers.d COMPONENT service)
install(FILES ${data}/tmpfiles.d/isolate.conf DESTINATION lib/tmpfiles.d COMPONENT service)

foreach(program isolate isolatectl isolated)
  install(FILES ${data}/completion/${program}.bash RENAME ${program}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${data}/completion/${program}.zsh RENAME _${program}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  install(FILES ${data}/completion/${program}.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endforeach()
