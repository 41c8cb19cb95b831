//! Puts the Rust blocks of each document into one function, so that `tests/readme.rs` compiles and
//! runs them. The blocks of one page share one namespace, in the order of the page.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..");
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    find_pages(&root.join("docs"), &mut pages)?;
    pages.sort();
    let (mut functions, mut list) = (String::new(), String::new());
    for (number, page) in pages.iter().enumerate() {
        println!("cargo::rerun-if-changed={}", page.display());
        let blocks = rust_blocks(&fs::read_to_string(page)?);
        if blocks.is_empty() {
            continue;
        }
        let name = page.strip_prefix(&root)?.display();
        writeln!(
            functions,
            "/// {name}\nfn page_{number}() -> Result<(), Box<dyn std::error::Error>> {{\n{blocks}\nOk(())\n}}"
        )?;
        writeln!(list, "    (\"{name}\", page_{number}),")?;
    }
    let code = format!("{functions}const PAGES: &[(&str, Page)] = &[\n{list}];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("pages.rs"), code)?;
    Ok(())
}

/// Adds the Markdown files of a folder and of its subfolders.
fn find_pages(folder: &Path, pages: &mut Vec<PathBuf>) -> std::io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_pages(&path, pages)?;
        } else if path.extension().is_some_and(|found| found == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

fn rust_blocks(text: &str) -> String {
    let blocks = text
        .split("\n```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next());
    blocks.collect::<Vec<_>>().join("\n")
}
