//! JSON lines in a file that several processes may append to, and that is rotated when it is full.
//!
//! A batch of whole lines is one write at the end of the file, so lines of several processes never
//! mix. Before a write the writer checks that the name still means its open file. Rotation renames
//! the file under a lock. Lines that are being written at that time end up in the renamed file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file of JSON lines.
#[derive(Debug, Clone)]
pub struct LogFile {
    /// The path of the file. `PATH.1` is the last rotated file, and `PATH.lock` is beside the file.
    pub path: PathBuf,
    /// The size in bytes at which the file is rotated, or `None` for no rotation.
    pub rotate_bytes: Option<u64>,
    /// The number of rotated files to keep.
    pub max_old_files: u32,
}

impl LogFile {
    /// Returns a file at `path` that is rotated at 64 MiB. Five rotated files are kept.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            rotate_bytes: Some(64 << 20),
            max_old_files: 5,
        }
    }

    /// Opens the file once, to report now if that is impossible. Refuses a pipe without a reader,
    /// because opening it would block.
    pub(crate) fn check(&self) -> io::Result<()> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&self.path)
            .map(drop)
    }
}

/// The greatest size of one write, except for a longer line.
const CHUNK: usize = 64 << 10;

/// The writer of a log file, owned by the delivering thread.
#[derive(Debug)]
pub(crate) struct RotatingWriter {
    options: LogFile,
    file: Option<(File, (u64, u64))>,
    /// Whether the last write ended within a line.
    torn: bool,
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

impl RotatingWriter {
    pub(crate) fn new(options: LogFile) -> Self {
        Self {
            options,
            file: None,
            torn: false,
        }
    }

    /// Writes lines, each with its end. Returns how many could not be written.
    pub(crate) fn write(&mut self, lines: &[String]) -> usize {
        let most = usize::try_from(self.options.rotate_bytes.unwrap_or(u64::MAX))
            .unwrap_or(usize::MAX)
            .clamp(1, CHUNK);
        let (mut chunk, mut count, mut failed) = (String::new(), 0_usize, 0_usize);
        for line in lines {
            if count > 0 && chunk.len().saturating_add(line.len()) > most {
                failed = failed.saturating_add(self.write_chunk(&chunk, count));
                (chunk, count) = (String::new(), 0);
            }
            chunk.push_str(line);
            count = count.saturating_add(1);
        }
        if count > 0 {
            failed.saturating_add(self.write_chunk(&chunk, count))
        } else {
            failed
        }
    }

    /// Writes `count` lines. Returns how many of them are not complete in the file.
    fn write_chunk(&mut self, chunk: &str, count: usize) -> usize {
        let mut written = 0_usize;
        let _ = self.append(chunk, &mut written);
        let whole = chunk
            .as_bytes()
            .iter()
            .take(written)
            .filter(|byte| **byte == b'\n')
            .count();
        count.saturating_sub(whole)
    }

    fn append(&mut self, chunk: &str, written: &mut usize) -> io::Result<()> {
        self.rotate_if_full(chunk.len() as u64)?;
        let torn = self.torn;
        let file = self.current()?;
        // The beginning of a torn line becomes a line of its own.
        if torn {
            file.write_all(b"\n")?;
        }
        self.torn = false;
        while let Some(rest) = chunk
            .as_bytes()
            .get(*written..)
            .filter(|rest| !rest.is_empty())
        {
            match self.current()?.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(some) => *written = written.saturating_add(some),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.torn = chunk
                        .as_bytes()
                        .get(..*written)
                        .is_some_and(|done| !done.is_empty() && !done.ends_with(b"\n"));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Returns the open file, and opens it again if the name means another file now.
    fn current(&mut self) -> io::Result<&mut File> {
        let now = fs::metadata(&self.options.path)
            .map(|found| (found.dev(), found.ino()))
            .ok();
        let file = match self.file.take() {
            Some((file, known)) if now == Some(known) => (file, known),
            _ => {
                let file = open(&self.options.path)?;
                let found = file.metadata()?;
                (file, (found.dev(), found.ino()))
            }
        };
        Ok(&mut self.file.insert(file).0)
    }

    /// Rotates the file if `more` bytes would make it too large.
    fn rotate_if_full(&mut self, more: u64) -> io::Result<()> {
        let Some(most) = self.options.rotate_bytes else {
            return Ok(());
        };
        let is_full = |size: u64| size > 0 && size.saturating_add(more) > most;
        if !is_full(self.current()?.metadata()?.len()) {
            return Ok(());
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(with_ending(&self.options.path, ".lock"))?;
        // Another process is rotating the file, or died while rotating and a forked child still
        // holds the lock. Skip the rotation; the file may exceed its limit for now.
        if lock.try_lock().is_err() {
            return Ok(());
        }
        // Another process may have rotated the file before this one took the lock.
        if is_full(self.current()?.metadata()?.len()) {
            self.rotate()?;
        }
        self.file = None;
        lock.unlock()
    }

    fn rotate(&self) -> io::Result<()> {
        let numbered = |number: u32| with_ending(&self.options.path, &format!(".{number}"));
        if self.options.max_old_files == 0 {
            return fs::remove_file(&self.options.path);
        }
        for number in (1..self.options.max_old_files).rev() {
            match fs::rename(numbered(number), numbered(number.saturating_add(1))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.options.path, numbered(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A temporary folder that is removed when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder =
                std::env::temp_dir().join(format!("sublet-log-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).expect("a folder");
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn lines(from: usize, to: usize) -> Vec<String> {
        (from..to)
            .map(|number| format!("{{\"n\":{number}}}\n"))
            .collect()
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn full_file_is_rotated_old_ones_removed() {
        let folder = Folder::new("rotation");
        let path = folder.0.join("events.jsonl");
        let mut file = RotatingWriter::new(LogFile {
            path: path.clone(),
            rotate_bytes: Some(20),
            max_old_files: 2,
        });
        assert_eq!(file.write(&lines(0, 7)), 0);
        let found = ["", ".1", ".2", ".3"].map(|ending| read(&with_ending(&path, ending)));
        assert_eq!(
            found,
            [
                "{\"n\":6}\n",
                "{\"n\":4}\n{\"n\":5}\n",
                "{\"n\":2}\n{\"n\":3}\n",
                ""
            ]
        );
    }

    #[test]
    fn two_writers_lose_and_tear_no_line() {
        let folder = Folder::new("two");
        let path = folder.0.join("events.jsonl");
        let options = LogFile {
            path: path.clone(),
            rotate_bytes: Some(4_000),
            max_old_files: 1_000,
        };
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let options = options.clone();
                scope.spawn(move || {
                    let mut file = RotatingWriter::new(options);
                    for at in 0..100 {
                        let from = writer * 1_000 + at * 10;
                        assert_eq!(file.write(&lines(from, from + 10)), 0);
                    }
                });
            }
        });
        let mut found: Vec<String> = Vec::new();
        for entry in fs::read_dir(&folder.0).expect("the folder").flatten() {
            found.extend(read(&entry.path()).lines().map(|line| format!("{line}\n")));
        }
        found.sort();
        let mut wanted: Vec<String> = (0..4)
            .flat_map(|writer| lines(writer * 1_000, writer * 1_000 + 1_000))
            .collect();
        wanted.sort();
        assert_eq!(found, wanted);
        assert!(with_ending(&path, ".1").exists());
    }

    #[test]
    fn replaced_file_is_reopened() {
        let folder = Folder::new("renamed");
        let path = folder.0.join("events.jsonl");
        let mut file = RotatingWriter::new(LogFile::new(&path));
        assert_eq!(file.write(&lines(0, 1)), 0);
        fs::rename(&path, folder.0.join("aside")).expect("renamed");
        assert_eq!(file.write(&lines(1, 2)), 0);
        assert_eq!(read(&path), "{\"n\":1}\n");
    }

    #[test]
    fn failed_writes_are_counted() {
        let mut file = RotatingWriter::new(LogFile::new("/nowhere/at/all"));
        assert_eq!(file.write(&lines(0, 3)), 3);
    }
}
