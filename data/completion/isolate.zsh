#compdef isolate
# Completion of isolate(1) for zsh. tests/system/completion.bats compares the options with those of isolate --help.

_isolate_templates() {
  local -a names
  names=(${(f)"$(isolatectl --quiet template list 2>/dev/null | awk 'NR > 1 { print $1 }')"})
  compadd -a names
}

_arguments -s -S \
  '(-e --engine)'{-e+,--engine=}'[what confines the command]:engine:(bwrap native lxc chroot)' \
  '(-t --template-dir -z --template)'{-t+,--template-dir=}'[run on the directory itself; changes stay]:directory:_files -/' \
  '(-z --template -t --template-dir)'{-z+,--template=}'[run in a fresh clone of the template]:template:_isolate_templates' \
  '*'{-d+,--bind=}'[show a file or directory of the host inside, HOST or HOST\:TARGET]:host:_files' \
  '--here[show the current directory inside and start there]' \
  '*'{-v+,--env=}'[set a variable inside, NAME=VALUE or NAME]:variable:_parameters -g "*export*"' \
  '(-p --chdir)'{-p+,--chdir=}'[start in this directory of the root]:directory:' \
  '(-u --uid-base)'{-u+,--uid-base=}'[first of 65536 users]:number:' \
  '(-g --gid-base)'{-g+,--gid-base=}'[first of 65536 groups]:number:' \
  '(-n --share-net)'{-n,--share-net}"[share the host's network]" \
  '(-i --ignore-sigint)'{-i,--ignore-sigint}'[ignore SIGINT, keep running]' \
  '--userns=[which ids to map]:ids:(auto private single)' \
  '--groups=[your supplementary groups inside]:groups:(auto keep drop)' \
  '*--cap-add=[give capabilities]:capability:(ALL NET_ADMIN NET_RAW SYS_ADMIN SYS_PTRACE)' \
  '*--cap-drop=[take capabilities away]:capability:(ALL NET_ADMIN NET_RAW SYS_ADMIN SYS_PTRACE)' \
  "--read-only[mount the root read-only]" \
  "--empty-home[put an empty /home in memory over the template's]" \
  '--seccomp=[system calls to refuse]:filter:_alternative "words:filter:(default tty none)" "files:OCI profile:_files"' \
  '--pty[give the command a terminal of its own]' \
  '--timeout=[end the command after this time, with status 124]:seconds:' \
  '*--ulimit=[limit a resource, NAME=N]:limit:(as= core= cpu= data= fsize= memlock= msgqueue= nofile= nproc= rss= rtprio= sigpending= stack=)' \
  '--tmp-size=[memory limit for files in /tmp, /dev/shm and an empty /home]:size:' \
  '--memory=[memory limit of the guest, which gets no swap]:size:' \
  '--cpus=[processor time limit of the guest, in processors]:number:' \
  '--pids=[limit of the guest'\''s processes and threads]:number:' \
  '--io-weight=[the guest'\''s share of busy disks, 1 to 10000]:weight:' \
  '*--dbus=[use a message bus, only as rules allow]:bus and rules:(session session,notifications session,portals session,talk= session,own= session,see= system system,talk= system,own= system,see=)' \
  '--keep[keep the clone and print where it is]' \
  '--store=[the directory of templates and clones]:directory:_files -/' \
  '--dry-run[print the plan of the run and stop]' \
  '--sync[do not end before the clone is removed]' \
  '--warm=[take a guest that is ready already]:when:(auto require no)' \
  '--hold[make a guest and wait for a run that takes it]' \
  '--timings[print how long each step took]' \
  '--status-fd=[write start and end as JSON lines to this descriptor]:descriptor:' \
  '(-x --trace)'{-x,--trace}'[print each step and system call with its result]' \
  '(-q --quiet)'{-q,--quiet}'[print only warnings and errors]' \
  '--home=-[run under your name, with its own home]::directory:_directories' \
  '--gpu[use the graphics devices that you may open]' \
  '--desktop[display, sound, graphics, a home, and your session'\''s look]' \
  '(-1 --x11)-1[show windows on your X11 display]' \
  '(-1 --x11)--x11=-[show windows on your X11 display]::kind of access:(trusted untrusted nested)' \
  '--wayland[show windows on your Wayland display]' \
  '(-2 --pulse)'{-2,--pulse}'[play and record sound with your PulseAudio]' \
  '--pipewire[use your PipeWire server: sound, cameras, screens]' \
  '(-r --refresh)'{-r+,--refresh=}'[keep fresh clones ready]:template:_isolate_templates' \
  '(-f --force)'{-f,--force}'[with -r: replace all unused clones]' \
  '(-s --no-create)'{-s,--no-create}'[with -r: make no new clones]' \
  '(- *)'{-h,--help}'[print help]' \
  '(- *)--version[print the version]' \
  '*::command:_normal'
