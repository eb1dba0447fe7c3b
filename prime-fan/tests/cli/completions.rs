//! The completion scripts, tested in the shells.

use std::path::Path;
use std::process::Command;

use crate::program::run;

/// A command line whose last word is to be completed, words that must be offered, and words that must not be. The
/// folder in which they are has a file `numbers.txt`, and another, `range.txt`.
const LINES: [(&str, &[&str], &[&str]); 12] = [
    ("prime-fan ra", &["random", "range"], &["range.txt"]),
    ("prime-fan --thr", &["--threads"], &[]),
    ("prime-fan filter --ann", &["--annotate"], &[]),
    ("prime-fan range --tw", &["--twins"], &[]),
    ("prime-fan --quiet range --tw", &["--twins"], &[]),
    ("prime-fan filter --bad re", &["report"], &[]),
    ("prime-fan range --format cs", &["csv"], &[]),
    ("prime-fan filter num", &["numbers.txt"], &[]),
    ("prime-fan range --output num", &["numbers.txt"], &[]),
    ("prime-fan range num", &[], &["numbers.txt"]),
    ("prime-fan random --seed num", &[], &["numbers.txt"]),
    ("prime-fan man r", &["random", "range"], &["range.txt"]),
];

/// Completes each of the lines with the command that `complete` returns for the path of the script.
fn assert_completes(shell: &str, complete: impl Fn(&Path, &str) -> Command) {
    match Command::new(shell).arg("--version").output() {
        Ok(_) => {}
        Err(error) => return println!("skipped: {shell} would not start: {error}"),
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("_prime-fan");
    let made = run(&format!("completions {}", if shell == "pwsh" { "powershell" } else { shell }));
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
    std::fs::write(&script, made.stdout).unwrap();
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    for name in ["numbers.txt", "range.txt"] {
        std::fs::write(files.join(name), "").unwrap();
    }
    for (line, offered, not_offered) in LINES {
        // The others complete options, and only the first of a line; they have no files and no values for arguments.
        let knows_all = matches!(shell, "bash" | "zsh" | "fish");
        let first_option = line.matches(" -").count() == 1 && line.split(' ').next_back().unwrap().starts_with('-');
        let output = complete(&script, line).current_dir(&files).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let told = || format!("{shell}: {line}: {words:?}\n{}", String::from_utf8_lossy(&output.stderr));
        if knows_all || first_option {
            assert!(offered.iter().all(|word| words.contains(word)), "{}", told());
        }
        assert!(!not_offered.iter().any(|word| words.contains(word)), "{}", told());
    }
}

#[test]
fn bash_completes_options_values_and_files() {
    const COMPLETE: &str = r#"source "$1"
        read -ra COMP_WORDS <<<"$2"
        COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
        function=$(complete -p prime-fan | sed 's/.*-F \([^ ]*\).*/\1/')
        "$function" prime-fan "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        (( ${#COMPREPLY[@]} )) && printf '%s\n' "${COMPREPLY[@]}"
        # Files, where the function has nothing, are what `-o default` would add.
        (( ${#COMPREPLY[@]} )) || ! complete -p prime-fan | grep -q default || compgen -f -- "${COMP_WORDS[COMP_CWORD]}""#;
    assert_completes("bash", |script, line| {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", COMPLETE, "bash"]).arg(script).arg(line);
        bash
    });
}

#[test]
fn fish_completes_options_values_and_files() {
    assert_completes("fish", |script, line| {
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]).arg(script).arg(line);
        fish
    });
}

/// On a pseudo-terminal, since zsh completes only on a terminal.
#[test]
fn zsh_completes_options_values_and_files() {
    const COMPLETE: &str = r#"zmodload zsh/zpty
        zpty inner zsh -f -i
        send() { zpty -w inner "$1" }
        send 'PS1= PROMPT= ; setopt no_zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste; stty -echo'
        send 'autoload -Uz compinit; compinit -u -D; source '"${(q)1}"'; compdef _prime-fan prime-fan'
        send 'compadd() {
            if [[ " $* " == *" -"[OAD]" "* ]]; then builtin compadd "$@"; return; fi
            local -a offered
            builtin compadd -O offered "$@"
            print -rl -- "offered "$^offered
            builtin compadd "$@"
        }'
        send 'ended() { print -r -- "completion ended"; exit }; comppostfuncs=(ended); bindkey "^I" complete-word'
        send 'print "ready for"" lines"'
        while zpty -r inner line; do [[ $line == *"ready for lines"* ]] && break; done
        zpty -n -w inner "$2"$'\t'
        while zpty -r inner line; do
            line=${line//$'\r'/}
            [[ $line == *"completion ended"* ]] && break
            [[ $line == *"offered "* ]] && print -r -- "${line##*offered }"
        done
        zpty -d inner"#;
    assert_completes("zsh", |script, line| {
        let mut zsh = Command::new("zsh");
        zsh.args(["-f", "-c", COMPLETE, "zsh"]).arg(script).arg(line);
        zsh
    });
}

#[test]
fn powershell_completes_options() {
    assert_completes("pwsh", |script, line| {
        let mut pwsh = Command::new("pwsh");
        let complete = format!(
            "Invoke-Expression (Get-Content -Raw '{}'); (TabExpansion2 '{line}').CompletionMatches.CompletionText",
            script.display()
        );
        pwsh.args(["-NoProfile", "-Command", &complete]);
        pwsh
    });
}

/// The part of the script that registers it needs a terminal: it is left out, and so is what shows a candidate.
#[test]
fn elvish_completes_options() {
    assert_completes("elvish", |script, line| {
        let text = std::fs::read_to_string(script).unwrap();
        let text = text.replace("set edit:completion:arg-completer[prime-fan] =", "var complete =");
        let text = text.replace("edit:complex-candidate $text", "put $text #");
        let mut elvish = Command::new("elvish");
        elvish.args([
            "-norc",
            "-c",
            &format!("fn wcswidth {{|text| count $text }}\n{text}\n$complete {line} | each {{|word| echo $word }}"),
        ]);
        elvish
    });
}
