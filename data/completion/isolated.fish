# Completion of isolated(8) for fish.

complete -c isolated -f
complete -c isolated -l store -x -a '(__fish_complete_directories)' -d 'The main store'
complete -c isolated -l keep-groups -d 'Keep the control groups of leases'
complete -c isolated -s q -l quiet -d 'Log only warnings and errors'
complete -c isolated -l help -d 'Print help'
complete -c isolated -l version -d 'Print the version'
