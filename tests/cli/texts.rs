//! What the program says, word for word.

#[test]
fn every_text_is_as_it_was_written_down() {
    trycmd::TestCases::new().env("COLUMNS", "100").case("tests/cli/texts/*.trycmd").case("README.md");
}

/// Its text is that of a library; what matters is that a shell takes it.
#[cfg(unix)]
#[test]
fn the_completions_are_a_script_that_knows_the_commands() {
    let script = crate::program::run("completions bash").stdout;
    for word in ["random", "filter", "range", "--annotate", "--twins"] {
        assert!(script.contains(word), "{word}");
    }
    match std::process::Command::new("bash").args(["-n", "-c", &script]).status() {
        Ok(status) => assert!(status.success()),
        Err(error) => println!("skipped: bash would not start: {error}"),
    }
}
