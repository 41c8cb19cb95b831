//! Puts the files of `policies/` into the library, so that an engine opens without a folder beside
//! it.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?)
        .join("policies")
        .canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let wanted = name == "catalog.json"
            || Path::new(&name)
                .extension()
                .is_some_and(|found| found == "cedar" || found == "cedarschema");
        if wanted && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    let mut code = String::from("const FILES: &[(&str, &str)] = &[\n");
    for name in names {
        let path = folder.join(&name);
        println!("cargo::rerun-if-changed={}", path.display());
        // The checkout that is built, whichever one this was written in.
        let inside = format!("/policies/{name}");
        writeln!(
            code,
            "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {inside:?}))),"
        )?;
    }
    code.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("shipped.rs"), code)?;
    Ok(())
}
