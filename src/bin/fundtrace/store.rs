//! Stores on the disk, mapped.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use fundtrace::{Chain, Error};
use memmap2::Mmap;

/// What holds a chain's bytes.
#[derive(Debug)]
pub(crate) enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// True when a file begins as a store does.
pub(crate) fn is_here(path: &Path) -> bool {
    let begins = || -> std::io::Result<[u8; 8]> {
        let mut first = [0; 8];
        File::open(path)?.read_exact(&mut first)?;
        Ok(first)
    };
    path.is_file() && begins().is_ok_and(|first| &first == fundtrace::chain::STORE_MAGIC)
}

/// Opens a store.
pub(crate) fn open(path: &Path) -> Result<Chain<Bytes>, Error> {
    let open = || -> Result<Chain<Bytes>, Error> { Chain::from_bytes(Bytes::Mapped(map(&File::open(path)?)?)) };
    open().map_err(|error| error.within(path.display()))
}

/// Maps a file. Stores are written under another name and renamed, so nothing of ours changes a file that is mapped.
#[expect(unsafe_code, reason = "a mapped file could be changed under us; a store is replaced, never changed")]
pub(crate) fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the bytes are only read, and whatever they are is checked or refused; see above on who may change them.
    unsafe { Mmap::map(file) }
}
