# Completion of isolatectl(1) for fish. tests/system/completion.bats compares it with the output of isolatectl --help.

function __isolatectl_templates
    isolatectl --quiet template list 2>/dev/null | awk 'NR > 1 { print $1 }'
end

function __isolatectl_leases
    isolatectl --quiet ps 2>/dev/null | awk 'NR > 1 { print $1 }'
end

function __isolatectl_launchers
    isolatectl --quiet launcher list 2>/dev/null | awk 'NR > 1 { print $1 }'
end

# __isolatectl_verb WORD...: whether these are exactly the words so far, apart from options.
function __isolatectl_verb
    set -l words
    set -l value no
    for word in (commandline --tokenize --cut-at-cursor --current-process)[2..]
        if test $value = yes
            set value no
        else if string match --quiet --regex -- '^(--(store|from|mirror|variant|include|template|icon|directory|variable|env)|-p|-v)$' $word
            set value yes
        else if not string match --quiet -- '-*' $word
            set --append words $word
        end
    end
    test "$words" = "$argv"
end

# __isolatectl_below WORD...: whether the words so far begin with these, apart from options.
function __isolatectl_below
    set -l words (string match --invert -- '-*' (commandline --tokenize --cut-at-cursor --current-process)[2..])
    string match --quiet -- "$argv *" "$words "
end

complete -c isolatectl -f
complete -c isolatectl -l store -x -a '(__fish_complete_directories)' -d 'The store of templates and clones'
complete -c isolatectl -l json -d 'Print lists as JSON'
complete -c isolatectl -s q -l quiet -d 'Print only warnings and errors'
complete -c isolatectl -s h -l help -d 'Print help'
complete -c isolatectl -n __isolatectl_verb -l version -d 'Print the version'
complete -c isolatectl -n __isolatectl_verb -a template -d 'Manage templates'
complete -c isolatectl -n __isolatectl_verb -a pool -d 'Manage pools of fresh clones'
complete -c isolatectl -n __isolatectl_verb -a gc -d 'Remove leftovers and old generations'
complete -c isolatectl -n __isolatectl_verb -a ps -d 'List running leases'
complete -c isolatectl -n __isolatectl_verb -a kill -d 'End a running lease'
complete -c isolatectl -n __isolatectl_verb -a exec -d 'Run a command in a running lease'
complete -c isolatectl -n __isolatectl_verb -a warm -d 'Keep guests ready'
complete -c isolatectl -n __isolatectl_verb -a launcher -d 'Manage launchers of the desktop'
complete -c isolatectl -n __isolatectl_verb -a status -d 'Show whether the daemon runs'
complete -c isolatectl -n '__isolatectl_verb template' -a 'create edit list show snapshot remove gc'
complete -c isolatectl -n '__isolatectl_verb pool' -a 'list status resize drain range'
complete -c isolatectl -n '__isolatectl_verb launcher' -a 'create list remove'
complete -c isolatectl -n '__isolatectl_verb launcher remove' -a '(__isolatectl_launchers)'
complete -c isolatectl -n '__isolatectl_below launcher create' -l template -x -a '(__isolatectl_templates)' -d 'The template of the clone'
complete -c isolatectl -n '__isolatectl_below launcher create' -s n -l share-net -d 'Share the host\'s network'
complete -c isolatectl -n '__isolatectl_below launcher create' -l home -x -a '(__fish_complete_directories)' -d 'Use this directory as the home, and keep it'
complete -c isolatectl -n '__isolatectl_below launcher create' -l icon -r -F -d 'A PNG or SVG file, or the name of an icon'
for verb in edit show snapshot remove
    complete -c isolatectl -n "__isolatectl_verb template $verb" -a '(__isolatectl_templates)'
end
for verb in status resize drain range
    complete -c isolatectl -n "__isolatectl_verb pool $verb" -a '(__isolatectl_templates)'
end
complete -c isolatectl -n '__isolatectl_verb warm' -a '(__isolatectl_templates)'
for verb in kill exec
    complete -c isolatectl -n "__isolatectl_verb $verb" -a '(__isolatectl_leases)'
end
complete -c isolatectl -n '__isolatectl_verb exec' -s t -l tty -d 'Give it a terminal of its own'
complete -c isolatectl -n '__isolatectl_verb exec' -s p -l directory -x -d 'Working directory in the guest'
complete -c isolatectl -n '__isolatectl_verb exec' -s v -l variable -x -d 'Add a variable'
complete -c isolatectl -n '__isolatectl_below template create' -l from -r -F -a 'debian:bookworm debian:trixie' -d 'The source of its files'
complete -c isolatectl -n '__isolatectl_below template create' -l mirror -x -d 'Where packages come from'
complete -c isolatectl -n '__isolatectl_below template create' -l variant -x -a 'minbase apt essential buildd important standard' -d 'Variant of mmdebstrap'
complete -c isolatectl -n '__isolatectl_below template create' -l include -x -d 'More packages'
complete -c isolatectl -n '__isolatectl_below template create' -l force -d 'Accept a source that does not look like a root'
complete -c isolatectl -n '__isolatectl_below template edit' -l continue -d 'Continue with the changes of an earlier edit'
complete -c isolatectl -n '__isolatectl_below template edit' -l publish -d 'Make those changes a generation'
complete -c isolatectl -n '__isolatectl_below template edit' -l discard -d 'Discard those changes'
complete -c isolatectl -n '__isolatectl_below template list' -l size -d 'Show what each takes on disk'
complete -c isolatectl -n '__isolatectl_below template edit' -s v -l env -x -d 'A variable of the command'
for verb in gc 'template gc' ps
    complete -c isolatectl -n "__isolatectl_below $verb" -l kept -d 'Clones kept with isolate --keep'
end
