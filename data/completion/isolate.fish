# Completion of isolate(1) for fish. tests/system/completion.bats compares the options with those of isolate --help.

function __isolate_templates
    isolatectl --quiet template list 2>/dev/null | awk 'NR > 1 { print $1 }'
end

# Whether the words so far contain no COMMAND yet. Options after a COMMAND belong to that command.
function __isolate_before_command
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l value no
    for word in $words[2..]
        if test $value = yes
            set value no
        else if not string match --quiet -- '-*' $word; or test "$word" = --
            return 1
        else if string match --quiet --regex -- '^(-[^-]*[etzdvpugr]|--(engine|template-dir|template|bind|env|chdir|uid-base|gid-base|userns|groups|cap-add|cap-drop|seccomp|timeout|ulimit|tmp-size|memory|cpus|pids|io-weight|dbus|store|status-fd|warm|refresh))$' $word
            set value yes
        end
    end
end

complete -c isolate -n 'not __isolate_before_command' -a '(__fish_complete_subcommand --fcs-skip=1)'
complete -c isolate -n __isolate_before_command -f -a '(__fish_complete_command)'
complete -c isolate -n __isolate_before_command -s e -l engine -x -a 'bwrap native lxc chroot' -d 'What confines'
complete -c isolate -n __isolate_before_command -s t -l template-dir -x -a '(__fish_complete_directories)' -d 'Run on the directory itself; changes stay'
complete -c isolate -n __isolate_before_command -s z -l template -x -a '(__isolate_templates)' -d 'Run in a fresh clone of the template'
complete -c isolate -n __isolate_before_command -s d -l bind -r -F -d 'Show a file or directory of the host inside'
complete -c isolate -n __isolate_before_command -l here -d 'Show the current directory inside and start there'
complete -c isolate -n __isolate_before_command -s v -l env -x -d 'Set a variable inside, NAME=VALUE or NAME'
complete -c isolate -n __isolate_before_command -s p -l chdir -x -d 'Start in this directory of the root'
complete -c isolate -n __isolate_before_command -s u -l uid-base -x -d 'First of 65536 users'
complete -c isolate -n __isolate_before_command -s g -l gid-base -x -d 'First of 65536 groups'
complete -c isolate -n __isolate_before_command -s n -l share-net -d 'Share the host\'s network'
complete -c isolate -n __isolate_before_command -s i -l ignore-sigint -d 'Ignore SIGINT, keep running'
complete -c isolate -n __isolate_before_command -l userns -x -a 'auto private single' -d 'Which ids to map'
complete -c isolate -n __isolate_before_command -l groups -x -a 'auto keep drop' -d 'Your supplementary groups inside'
complete -c isolate -n __isolate_before_command -l cap-add -x -a 'ALL NET_ADMIN NET_RAW SYS_ADMIN SYS_PTRACE' -d 'Give capabilities'
complete -c isolate -n __isolate_before_command -l cap-drop -x -a 'ALL NET_ADMIN NET_RAW SYS_ADMIN SYS_PTRACE' -d 'Take capabilities away'
complete -c isolate -n __isolate_before_command -l read-only -d 'Mount the root read-only'
complete -c isolate -n __isolate_before_command -l empty-home -d 'Put an empty /home in memory over the template\'s'
complete -c isolate -n __isolate_before_command -l seccomp -r -F -a 'default tty none' -d 'System calls to refuse'
complete -c isolate -n __isolate_before_command -l pty -d 'A terminal of its own for the command'
complete -c isolate -n __isolate_before_command -l timeout -x -d 'End the command after this time, with status 124'
complete -c isolate -n __isolate_before_command -l ulimit -x -a 'as= core= cpu= data= fsize= memlock= msgqueue= nofile= nproc= rss= rtprio= sigpending= stack=' -d 'Limit a resource'
complete -c isolate -n __isolate_before_command -l tmp-size -x -d 'Memory limit for files in /tmp, /dev/shm and an empty /home'
complete -c isolate -n __isolate_before_command -l memory -x -d 'Memory limit of the guest, which gets no swap'
complete -c isolate -n __isolate_before_command -l cpus -x -d 'Processor time limit of the guest, in processors'
complete -c isolate -n __isolate_before_command -l pids -x -d 'Limit of the guest\'s processes and threads'
complete -c isolate -n __isolate_before_command -l io-weight -x -d 'The guest\'s share of busy disks, 1 to 10000'
complete -c isolate -n __isolate_before_command -l dbus -x -a 'session session,notifications session,portals session,talk= session,own= session,see= system system,talk= system,own= system,see=' -d 'Use a message bus through a filter'
complete -c isolate -n __isolate_before_command -l keep -d 'Keep the clone and print where it is'
complete -c isolate -n __isolate_before_command -l store -x -a '(__fish_complete_directories)' -d 'The directory of templates and clones'
complete -c isolate -n __isolate_before_command -l dry-run -d 'Print the plan of the run and stop'
complete -c isolate -n __isolate_before_command -l sync -d 'Do not end before the clone is removed'
complete -c isolate -n __isolate_before_command -l warm -x -a 'auto require no' -d 'Take a guest that is ready already'
complete -c isolate -n __isolate_before_command -l hold -d 'Make a guest and wait for a run that takes it'
complete -c isolate -n __isolate_before_command -l timings -d 'Print how long each step took'
complete -c isolate -n __isolate_before_command -l status-fd -x -d 'Write start and end as JSON lines'
complete -c isolate -n __isolate_before_command -s x -l trace -d 'Print each step and system call'
complete -c isolate -n __isolate_before_command -s q -l quiet -d 'Print only warnings and errors'
complete -c isolate -n __isolate_before_command -l home -d 'Run under your name, with its own home'
complete -c isolate -n __isolate_before_command -l gpu -d 'Use the graphics devices that you may open'
complete -c isolate -n __isolate_before_command -l desktop -d 'Display, sound, graphics, a home, and your session\'s look'
complete -c isolate -n __isolate_before_command -s 1 -l x11 -a 'trusted untrusted nested' -d 'Show windows on your X11 display'
complete -c isolate -n __isolate_before_command -l wayland -d 'Show windows on your Wayland display'
complete -c isolate -n __isolate_before_command -s 2 -l pulse -d 'Play and record sound with your PulseAudio'
complete -c isolate -n __isolate_before_command -l pipewire -d 'Use your PipeWire server: sound, cameras, screens'
complete -c isolate -n __isolate_before_command -s r -l refresh -x -a '(__isolate_templates)' -d 'Keep fresh clones ready'
complete -c isolate -n __isolate_before_command -s f -l force -d 'With -r: replace all unused clones'
complete -c isolate -n __isolate_before_command -s s -l no-create -d 'With -r: make no new clones'
complete -c isolate -n __isolate_before_command -s h -l help -d 'Print help'
complete -c isolate -n __isolate_before_command -l version -d 'Print the version'
