//! The framing of block files: magic, length, block, one after another, XORed or not.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bitcoin::Network;
use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize;
use bitcoin::p2p::Magic;

use super::active::Located;
use crate::error::{BlkError, Error};
use crate::id;

pub(super) type Key = [u8; 8];

const HEADER_BYTES: usize = 80;
/// Magic, length and header.
const FRAME_BYTES: usize = 8 + HEADER_BYTES;
/// Bitcoin Core reads nothing longer (`MAX_SIZE`).
const BLOCK_BYTES_MAX: u32 = 32 << 20;

/// Block files that share a key.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) files: Vec<PathBuf>,
    pub(super) key: Key,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) blocks: Vec<Located>,
    pub(super) ignored: Option<String>,
}

/// The block files that paths name, with the key that lies beside them.
pub(super) fn list(paths: &[impl AsRef<Path>]) -> Result<Vec<Folder>, Error> {
    let folder = |path: &Path| -> Result<Folder, Error> {
        let (folder, files) = if path.is_dir() {
            let mut files = block_files(path)?;
            files.sort();
            if files.is_empty() {
                return Err(BlkError::NoFiles.into());
            }
            (path, files)
        } else {
            (path.parent().unwrap_or(Path::new(".")), vec![path.to_owned()])
        };
        Ok(Folder { files, key: key(&folder.join("xor.dat"))? })
    };
    paths.iter().map(|path| folder(path.as_ref()).map_err(|error| error.within(path.as_ref().display()))).collect()
}

fn block_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("blk") && name.ends_with(".dat") && path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn key(path: &Path) -> Result<Key, Error> {
    match std::fs::read(path) {
        Ok(bytes) => bytes.as_slice().try_into().map_err(|_| BlkError::Key { bytes: bytes.len() }.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Key::default()),
        Err(error) => Err(Error::from(error).within("xor.dat")),
    }
}

pub(super) fn is_here(path: &Path) -> bool {
    if path.is_dir() {
        return block_files(path).is_ok_and(|files| !files.is_empty());
    }
    let begins = || -> io::Result<[u8; 4]> {
        let mut first = [0; 4];
        File::open(path)?.read_exact(&mut first)?;
        Ok(first)
    };
    let Ok(mut first) = begins() else { return false };
    let plain = network_of(first).is_some();
    let beside = path.parent().unwrap_or(Path::new(".")).join("xor.dat");
    unxor(&mut first, 0, key(&beside).unwrap_or_default());
    plain || network_of(first).is_some()
}

/// Undoes Core's obfuscation: the key repeats from the beginning of the file.
pub(super) fn unxor(bytes: &mut [u8], offset: u64, key: Key) {
    if key == Key::default() {
        return;
    }
    let mut turned = key;
    turned.rotate_left(id::at(offset % 8));
    let whole = u64::from_le_bytes(turned);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_le_bytes(*word) ^ whole).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(turned) {
        *byte ^= key;
    }
}

/// Finds the blocks of a file by reading each one's header and skipping to the next.
pub(super) fn scan(path: &Path, key: Key, network: Network) -> Result<Scanned, Error> {
    let scan = || -> Result<Scanned, Error> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let magic = Magic::from(network).to_bytes();
        let mut blocks = Vec::new();
        let mut at = 0_u64;
        let (frame, raw) = loop {
            let (frame, raw, read) = frame_at(&mut file, at, key)?;
            if read < FRAME_BYTES || frame[..4] != magic {
                break (frame, raw);
            }
            let length = u32::from_le_bytes(frame[4..8].try_into().expect("4 bytes"));
            if !(HEADER_BYTES..=id::at(BLOCK_BYTES_MAX)).contains(&id::at(length)) {
                return Err(BlkError::Length { offset: at, length }.into());
            }
            let offset = at + 8;
            at = offset + u64::from(length);
            if at > size {
                // The node is about to write the rest.
                return Ok(Scanned { blocks, ignored: None });
            }
            let header: Header = deserialize(&frame[8..]).expect("any 80 bytes are a header");
            if header.validate_pow(header.target()).is_err() {
                return Err(BlkError::Work { offset, block: header.block_hash() }.into());
            }
            blocks.push(Located { file: 0, offset, size: length, header });
        };
        if at == 0 {
            check_start(&frame, &raw, key, network)?;
        }
        let zeros = raw.iter().all(|byte| *byte == 0);
        let ignored = (!zeros && at < size)
            .then(|| format!("{}: from offset {at} on it holds neither blocks nor zeros", path.display()));
        Ok(Scanned { blocks, ignored })
    };
    scan().map_err(|error| error.within(path.display()))
}

/// A frame with and without the key, and how many of its bytes the file has.
fn frame_at(file: &mut File, at: u64, key: Key) -> io::Result<([u8; FRAME_BYTES], [u8; FRAME_BYTES], usize)> {
    let mut raw = [0; FRAME_BYTES];
    file.seek(SeekFrom::Start(at))?;
    let mut read = 0;
    while read < FRAME_BYTES {
        match file.read(&mut raw[read..])? {
            0 => break,
            more => read += more,
        }
    }
    let mut frame = raw;
    unxor(&mut frame[..read], at, key);
    Ok((frame, raw, read))
}

/// Tells why a file does not begin with a block. One of nothing but zeros is new.
fn check_start(frame: &[u8], raw: &[u8], key: Key, network: Network) -> Result<(), BlkError> {
    let first = |bytes: &[u8]| network_of(bytes[..4].try_into().expect("4 bytes"));
    match (first(frame), first(raw)) {
        (Some(found), _) if found != network => Err(BlkError::Network { found, network }),
        (None, Some(_)) => Err(BlkError::ForeignKey),
        (None, None) if raw.iter().all(|byte| *byte == 0) => Ok(()),
        (None, None) if key == Key::default() => Err(BlkError::NoKey),
        (None, None) => Err(BlkError::WrongKey),
        _ => Ok(()),
    }
}

fn network_of(magic: [u8; 4]) -> Option<Network> {
    Network::try_from(Magic::from_bytes(magic)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_repeats_from_the_start_of_the_file() {
        let key = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut whole: Vec<u8> = (0..100).collect();
        unxor(&mut whole, 0, key);
        for offset in 0..20_u8 {
            let mut part: Vec<u8> = (offset..100).collect();
            unxor(&mut part, u64::from(offset), key);
            assert_eq!(part, whole[usize::from(offset)..]);
        }
    }
}
