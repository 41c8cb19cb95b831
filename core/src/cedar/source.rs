//! The files of a bundle as text, and positions in them.

use std::path::{Path, PathBuf};

use crate::util::digest;
use crate::util::error::{Diagnostic, Diagnostics, Error, SourceSpan, fault_help};
use crate::util::parse_limits::ParseLimits;

/// Name of the kernel's schema file. A set of files that contains it is a tenancy bundle.
pub(crate) const KERNEL: &str = "sublet.cedarschema";
/// File name of the catalog.
pub(crate) const CATALOG: &str = "catalog.json";

/// Source of the policies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PolicySource {
    /// The default bundle of this version: the marketing platform of `policies/`.
    #[default]
    Shipped,
    /// A folder with `sublet.cedarschema`, other `*.cedarschema`, `*.cedar` and `catalog.json`.
    Folder(PathBuf),
    /// Files like those of a folder, as (name, text).
    Files(Vec<(String, String)>),
    /// A plain Cedar program, without the tenancy kernel.
    Cedar(super::load_program::CedarProgram),
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl File {
    /// Returns the span of `len` bytes from `start`. A position past the end is the end.
    pub(crate) fn place(&self, start: usize, len: usize) -> SourceSpan {
        let mut start = start.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start = start.saturating_sub(1);
        }
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        let rest = self.text.get(line_start..).unwrap_or_default();
        let text = rest.lines().next().unwrap_or_default();
        let marked = self
            .text
            .get(start..)
            .unwrap_or_default()
            .char_indices()
            .take_while(|(at, c)| *at < len && *c != '\n');
        cut(&self.name, line, column, marked.count().max(1), text)
    }

    /// Returns the words of the comment lines directly above the line of `start`. Returns `None` if
    /// there are none.
    pub(crate) fn comment_above(&self, start: usize) -> Option<String> {
        let before = self.text.get(..start)?;
        let above = before.get(..before.rfind('\n')?)?;
        let mut lines: Vec<&str> = above
            .split('\n')
            .rev()
            .map_while(|line| line.strip_prefix("//"))
            .collect();
        lines.reverse();
        let words: Vec<&str> = lines
            .iter()
            .flat_map(|line| line.trim_start_matches('/').split_whitespace())
            .collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// Returns a diagnostic for the bytes from `start`.
    pub(crate) fn fault(
        &self,
        code: &'static str,
        message: impl Into<String>,
        start: usize,
        len: usize,
    ) -> Diagnostic {
        Diagnostic {
            code,
            message: message.into(),
            place: Some(self.place(start, len)),
            help: fault_help(code),
        }
    }

    /// Returns the byte offset of a line and column that count from 1, as JSON parsers report them.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let mut start = 0_usize;
        for (nth, text) in self.text.split_inclusive('\n').enumerate() {
            if nth.saturating_add(1) == line {
                return start.saturating_add(column.saturating_sub(1).min(text.len()));
            }
            start = start.saturating_add(text.len());
        }
        start
    }

    /// Returns whether this is a file of policies.
    pub(crate) fn is_policies(&self) -> bool {
        has_ending(&self.name, "cedar")
    }

    /// Returns whether this is a schema file.
    pub(crate) fn is_schema(&self) -> bool {
        has_ending(&self.name, "cedarschema")
    }
}

/// Maximum length of a quoted source line. Longer lines are cut around the fault, so that an error
/// stays readable.
const LINE: usize = 160;

fn cut(file: &str, line: usize, column: usize, width: usize, text: &str) -> SourceSpan {
    let length = text.chars().count();
    let skip = if length > LINE {
        column.saturating_sub(LINE / 2)
    } else {
        0
    };
    let last = skip.saturating_add(LINE).saturating_sub(1);
    let shown = text
        .chars()
        .enumerate()
        .skip(skip)
        .take(LINE)
        .map(|(at, c)| match at {
            _ if at == skip && skip > 0 || at == last && length > last.saturating_add(1) => '…',
            _ if c.is_control() => ' ',
            _ => c,
        });
    let shown: String = shown.collect();
    let room = LINE.saturating_sub(column.saturating_sub(skip)).max(1);
    SourceSpan {
        file: file.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column.saturating_add(1)).unwrap_or(u32::MAX),
        width: u32::try_from(width.min(room)).unwrap_or(1),
        text: shown,
        indent: u32::try_from(column.saturating_sub(skip)).unwrap_or(0),
    }
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == ending)
}

/// Returns a diagnostic without a place in a file.
pub(crate) fn placeless(code: &'static str, message: impl Into<String>) -> Diagnostic {
    Diagnostic {
        code,
        message: message.into(),
        place: None,
        help: fault_help(code),
    }
}

/// Reads the files of a bundle, sorted by name, within the caps.
pub(crate) fn read(source: &PolicySource, caps: &ParseLimits) -> Result<Vec<File>, Error> {
    let mut files = match source {
        PolicySource::Shipped => super::default_bundle::files(),
        PolicySource::Folder(folder) => read_folder(folder, caps)?,
        PolicySource::Files(texts) => texts
            .iter()
            .map(|(name, text)| File {
                name: name.clone(),
                text: text.clone(),
            })
            .collect(),
        PolicySource::Cedar(_) => Vec::new(),
    };
    files.sort_by(|left, right| left.name.cmp(&right.name));
    let mut faults = Vec::new();
    for pair in files.windows(2) {
        if let [first, second] = pair
            && first.name == second.name
        {
            faults.push(placeless(
                "bundle.unreadable",
                format!("file `{}` is given twice", first.name),
            ));
        }
    }
    for file in &files {
        if file.text.len() > caps.file_bytes {
            faults.push(too_large(&file.name, file.text.len() as u64, caps));
        }
    }
    Diagnostics::into_result(faults)?;
    Ok(files)
}

fn too_large(name: &str, bytes: u64, caps: &ParseLimits) -> Diagnostic {
    placeless(
        "bundle.too_large",
        format!("`{name}` has {bytes} bytes, more than {}", caps.file_bytes),
    )
}

fn read_folder(folder: &Path, caps: &ParseLimits) -> Result<Vec<File>, Error> {
    let unreadable = |name: &str, why: &dyn std::fmt::Display| {
        placeless(
            "bundle.unreadable",
            format!("`{name}` cannot be read: {why}"),
        )
    };
    let entries = std::fs::read_dir(folder).map_err(|why| {
        placeless(
            "bundle.not_found",
            format!("folder `{}` cannot be read: {why}", folder.display()),
        )
    })?;
    let inside = std::fs::canonicalize(folder).map_err(|why| {
        placeless(
            "bundle.not_found",
            format!("folder `{}` cannot be read: {why}", folder.display()),
        )
    })?;
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(why) => {
                faults.push(unreadable(&folder.display().to_string(), &why));
                continue;
            }
        };
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let wanted = name == CATALOG
            || name == "links.json"
            || has_ending(&name, "cedar")
            || has_ending(&name, "cedarschema");
        if !wanted || name.starts_with('.') || path.is_dir() {
            continue;
        }
        // A symbolic link may lead to another file of the folder, and nowhere else. Its target is
        // read by its own path.
        let found = std::fs::canonicalize(&path);
        if found
            .as_ref()
            .is_ok_and(|found| !found.starts_with(&inside))
        {
            faults.push(placeless(
                "bundle.outside",
                format!("`{name}` is a link that leaves the bundle's folder"),
            ));
            continue;
        }
        match found.and_then(|found| read_file(&found, caps)) {
            Ok(Some(text)) => files.push(File { name, text }),
            Ok(None) => faults.push(too_large(
                &name,
                std::fs::metadata(&path).map_or(0, |found| found.len()),
                caps,
            )),
            Err(why) => faults.push(unreadable(&name, &why)),
        }
    }
    Diagnostics::into_result(faults)?;
    Ok(files)
}

/// Reads a file. Returns `None` if it is larger than the cap, because a file may grow while it is
/// read.
fn read_file(path: &Path, caps: &ParseLimits) -> std::io::Result<Option<String>> {
    use std::io::Read;
    // A pipe or a device could block or never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    let cap = u64::try_from(caps.file_bytes).unwrap_or(u64::MAX);
    std::fs::File::open(path)?
        .take(cap.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > caps.file_bytes {
        return Ok(None);
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| std::io::Error::other("it is not UTF-8 text"))
}

/// Returns the SHA-256 of these names and texts.
pub(crate) fn digest<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> [u8; 32] {
    digest::sha256(texts.into_iter().flat_map(|(name, text)| [name, text]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_counts_and_marks_characters() {
        let file = File {
            name: "x.cedar".into(),
            text: "äb\nforbid ünknown;\n".into(),
        };
        let at = file.text.find("ünknown").unwrap_or_default();
        let place = file.place(at, "ünknown".len());
        assert_eq!(
            (place.line, place.column, place.width, place.text.as_str()),
            (2, 8, 7, "forbid ünknown;")
        );
        assert_eq!(file.place(10_000, 5).line, 3);
    }

    #[test]
    fn long_line_is_cut_around_diagnostic() {
        let file = File {
            name: "x.cedar".into(),
            text: format!("{}?{}", "a".repeat(5_000), "b".repeat(5_000)),
        };
        let place = file.place(5_000, 1);
        assert_eq!(place.text.chars().nth(place.indent as usize), Some('?'));
        assert!(
            place.text.starts_with("…a") && place.text.ends_with("b…"),
            "{}",
            place.text
        );
        assert!(place.text.chars().count() <= LINE);
    }

    #[test]
    fn comment_above_is_that_of_the_policy() {
        let file = File {
            name: "x.cedar".into(),
            text: "// A file.\n\n// Refuses\n//  all.\n@id(\"x\")\nforbid (a);\n\npermit (b);\n"
                .into(),
        };
        let above = |text: &str| file.comment_above(file.text.find(text).expect("a text"));
        assert_eq!(above("@id").as_deref(), Some("Refuses all."));
        assert_eq!((above("permit"), above("// A file")), (None, None));
        assert_eq!(file.comment_above(10_000), None);
    }

    #[test]
    fn fingerprint_separates_names_and_texts() {
        assert_ne!(digest([("a", "bc")]), digest([("ab", "c")]));
    }
}
