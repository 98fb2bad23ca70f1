"""What `gitops completion SHELL` prints.

Each script hands the line to `gitops __complete SHELL …` and shows what comes back: one line that
says how (`values`, `nospace`: no blank behind them, `folders`, `files`), then a value on each line,
where there is one with a tab and a description. Values hold no blanks, quotes or controls.
"""

from __future__ import annotations

from collections.abc import Mapping

_BASH = r"""
# gitops: completion for bash. Put into ~/.bashrc: eval "$(gitops completion bash)"
_gitops() {
    local how="" line
    COMPREPLY=()
    while IFS= read -r line; do
        if [ -z "$how" ]; then how=$line; else COMPREPLY+=("${line%%$'\t'*}"); fi
    done < <(command "${COMP_WORDS[0]}" __complete bash \
        "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
    case $how in
        nospace) compopt -o nospace 2>/dev/null ;;
        folders) compopt -o filenames 2>/dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done \
                < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]#=}") ;;
        files) compopt -o filenames 2>/dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done \
                < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]#=}") ;;
    esac
}
complete -F _gitops gitops
"""

_ZSH = r"""
#compdef gitops
# gitops: completion for zsh. Put into ~/.zshrc, behind compinit: eval "$(gitops completion zsh)"
# or this file as _gitops into a folder of $fpath.
_gitops() {
    local how line value
    local -a lines found
    lines=("${(@f)$(command "${(Q)words[1]}" __complete zsh \
        "${(@Q)words[1,CURRENT]}" 2>/dev/null)}")
    how=${lines[1]}
    for line in "${(@)lines[2,-1]}"; do
        value=${${line%%$'\t'*}//:/\\:}
        if [[ $line == *$'\t'* ]]; then found+=("$value:${line#*$'\t'}"); else found+=("$value"); fi
    done
    case $how in
        values) _describe -V gitops found ;;
        nospace) _describe -V gitops found -S '' ;;
        folders) compset -P '--*='; _files -/ ;;
        files) compset -P '--*='; _files ;;
    esac
}
if [ "$funcstack[1]" = _gitops ]; then _gitops "$@"; else compdef _gitops gitops; fi
"""

_FISH = r"""
# gitops: completion for fish. Put into ~/.config/fish/config.fish: gitops completion fish | source
function __gitops_complete
    set -l current (commandline -ct)
    set -l program (commandline -opc)[1]
    set -l lines (command $program __complete fish (commandline -opc) "$current" 2>/dev/null)
    switch "$lines[1]"
        case values nospace
            for line in $lines[2..-1]
                echo $line
            end
        case folders
            __fish_complete_directories (string replace -r '^--[^=]*=' '' -- "$current")
        case files
            __fish_complete_path (string replace -r '^--[^=]*=' '' -- "$current")
    end
end
complete -c gitops -f -a '(__gitops_complete)'
"""

SCRIPTS: Mapping[str, str] = {"bash": _BASH.lstrip(), "zsh": _ZSH.lstrip(), "fish": _FISH.lstrip()}
"""Shell -> its script."""
