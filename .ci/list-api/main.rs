//! Prints the public API of a crate, an item per line, from the JSON that rustdoc writes: `list-api FILE`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let json = std::env::args_os().nth(1).ok_or("which file?")?;
    // Blanket impls are the standard library's, and `Send`, `Sync` and `Unpin` are pinned by tests.
    let api =
        public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).omit_auto_trait_impls(true).build()?;
    print!("{api}");
    Ok(())
}
