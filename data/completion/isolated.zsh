#compdef isolated
# Completion of isolated(8) for zsh.

_arguments -s \
  '--store=[the main store]:directory:_files -/' \
  '--keep-groups[keep the control groups of leases]' \
  '(-q --quiet)'{-q,--quiet}'[log only warnings and errors]' \
  '(- *)--help[print help]' \
  '(- *)--version[print the version]'
