//! The output of the program, word for word.

#[test]
fn every_text_is_as_it_was_written_down() {
    trycmd::TestCases::new().env("COLUMNS", "100").case("tests/cli/texts/*.trycmd").case("README.md");
}
