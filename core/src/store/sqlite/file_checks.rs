//! Opens the database file, and checks that it is a store, has one name and is on a local disk.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::sys::statfs::fstatfs;

use super::connection::APPLICATION;
use super::file_locks::{self, NameClaim};
use super::store_path::StorePath;
use super::{errors, shared_header};
use crate::util::digest;
use crate::util::error::Error;

/// The length of a database header, and the offset of the application id in it.
const HEADER_BYTES: usize = 100;
const APPLICATION_AT: usize = 68;

/// Opens the database file for the locks of this process, and creates it if it is missing and may
/// be created. Returns whether it was created.
///
/// A file that is not a store of Sublet is refused before anything is written beside it.
pub(super) fn open_database(
    place: &StorePath,
    wanted: Option<&str>,
) -> Result<(File, bool), Error> {
    let file = |error: std::io::Error| errors::file(&place.name, &error);
    let unreachable = |reason: &str| Error::StoreUnreachable {
        store: place.name.clone(),
        reason: reason.to_owned(),
    };
    let found = match fs::metadata(&place.path) {
        Ok(found) => found,
        Err(_) if wanted.is_some() => return Err(place.replaced()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !place.create {
                return Err(place.missing());
            }
            refuse_network(
                place,
                &File::open(place.path.parent().unwrap_or(Path::new("."))).map_err(file)?,
            )?;
            let made = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(place.mode)
                .open(&place.path);
            match made {
                Ok(made) => {
                    shared_header::give_mode(&made, place.mode);
                    return Ok((made, true));
                }
                // Another process has just created the file.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    fs::metadata(&place.path).map_err(file)?
                }
                Err(error) => return Err(file(error)),
            }
        }
        Err(error) => return Err(file(error)),
    };
    if !found.is_file() {
        return Err(unreachable("it is not a file"));
    }
    if found.nlink() > 1 {
        return Err(place.other_name());
    }
    let database = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&place.path)
        .map_err(file)?;
    refuse_network(place, &database)?;
    if found.len() == 0 {
        if wanted.is_some() {
            return Err(place.replaced());
        }
        if !place.create {
            return Err(unreachable(
                "the file is empty, and `create=no` makes no new store",
            ));
        }
        if fs::metadata(place.with_suffix("-wal")).is_ok_and(|log| log.len() > 0) {
            return Err(unreachable(
                "the file is empty, but the log beside it is not: something was there",
            ));
        }
        return Ok((database, false));
    }
    if is_store(place, &database, wanted)? {
        Ok((database, false))
    } else {
        Err(Error::StoreForeign {
            store: place.name.clone(),
        })
    }
}

/// Returns whether the file is a database of this library.
fn is_store(place: &StorePath, database: &File, wanted: Option<&str>) -> Result<bool, Error> {
    let mut header = [0_u8; HEADER_BYTES];
    let read = database
        .read_at(&mut header, 0)
        .map_err(|error| errors::file(&place.name, &error))?;
    let id = header
        .get(APPLICATION_AT..APPLICATION_AT.saturating_add(4))
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_be_bytes);
    let is_ours = read == HEADER_BYTES
        && header.starts_with(b"SQLite format 3\0")
        && id.map(i64::from) == Some(APPLICATION);
    // If a process is killed while it creates the tables, it leaves a journal that rolls them back.
    let is_unmade = id == Some(0)
        && fs::metadata(place.with_suffix("-journal")).is_ok_and(|journal| journal.len() > 0);
    Ok(is_ours || is_unmade && wanted.is_none())
}

/// Claims the database under its name. The name is a digest of the folder's identity and the file
/// name.
pub(super) fn claim(place: &StorePath, database: &File) -> Result<NameClaim, Error> {
    let file = |error: std::io::Error| errors::file(&place.name, &error);
    let folder = place.path.parent().unwrap_or(Path::new("."));
    let (device, inode) = shared_header::identity(&fs::metadata(folder).map_err(file)?);
    let file_name = place.path.file_name().unwrap_or_default();
    let digest = digest::sha256([
        &device.to_le_bytes()[..],
        &inode.to_le_bytes(),
        file_name.as_encoded_bytes(),
    ]);
    let name = digest
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes));
    file_locks::claim_name(database, name).map_err(file)
}

/// File systems whose locks do not hold between machines, or may not.
const NETWORKS: [(i64, &str); 12] = [
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xfe53_4d42, "smb2"),
    (0xff53_4d42, "cifs"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "afs"),
    (0x7375_7245, "coda"),
    (0x564c, "ncp"),
    (0x00c3_6400, "ceph"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x6573_5546, "fuse"),
];

fn network(kind: i64) -> Option<&'static str> {
    NETWORKS
        .iter()
        .find(|(magic, _)| *magic == kind & 0xffff_ffff)
        .map(|(_, name)| *name)
}

fn refuse_network(place: &StorePath, file: &File) -> Result<(), Error> {
    let found = fstatfs(file).map_err(|error| errors::file(&place.name, &error.into()))?;
    match network(found.filesystem_type().0) {
        Some(system) => Err(Error::StoreNetwork {
            store: place.name.clone(),
            system: system.to_owned(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_disk_is_not_a_network_disk() {
        let [ext4, xfs, btrfs, tmpfs, overlay] =
            [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630];
        assert_eq!([ext4, xfs, btrfs, tmpfs, overlay].map(network), [None; 5]);
        assert_eq!(
            (network(0x6969), network(0xff53_4d42 - (1 << 32))),
            (Some("nfs"), Some("cifs"))
        );
    }
}
