//! A chain as Bitcoin Core keeps it: `blk*.dat` files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bitcoin::Block;
use bitcoin::consensus::Encodable;
use bitcoin::p2p::Magic;
use tempfile::NamedTempFile;

use crate::error::Error;
use crate::id;

/// A file is full when another block would make it longer (Bitcoin Core's `MAX_BLOCKFILE_SIZE`).
const FULL: u64 = 0x800_0000;

/// Writes blocks of a regtest chain into a folder, in chain order, without an XOR key.
///
/// A file gets its name when it is complete; what is interrupted leaves at most a temporary file, `.blk*.partial`.
///
/// # Examples
///
/// ```
/// use fundtrace::simulate::{BlockFiles, World, WorldSpec};
/// use fundtrace::{bitcoin::Network, source::blk::Blocks};
///
/// let folder = std::env::temp_dir().join(format!("fundtrace-doc-world-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// let mut files = BlockFiles::new(&folder);
/// let mut written = 0;
/// for block in World::new(WorldSpec::new(50), 1) {
///     files.block(block.block())?;
///     written += 1;
/// }
/// files.finish()?;
/// assert_eq!(Blocks::open(&[&folder], Network::Regtest)?.len(), written);
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BlockFiles {
    folder: PathBuf,
    /// The file that is being filled.
    file: Option<BufWriter<NamedTempFile>>,
    number: u32,
    length: u64,
    bytes: Vec<u8>,
}

impl BlockFiles {
    /// Writes into a folder that is there.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), file: None, number: 0, length: 0, bytes: Vec::new() }
    }

    /// Adds the next block.
    ///
    /// # Errors
    ///
    /// [`Error::is_io`]; the message names the folder.
    pub fn block(&mut self, block: &Block) -> Result<(), Error> {
        self.bytes.clear();
        block.consensus_encode(&mut self.bytes).expect("a vector takes every byte");
        self.frame().map_err(|error| Error::from(error).within(self.folder.display()))
    }

    fn frame(&mut self) -> io::Result<()> {
        let length = id::number(self.bytes.len()) + 8;
        if self.length + length > FULL {
            self.close()?;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut builder = tempfile::Builder::new();
                builder.prefix(".blk").suffix(".partial");
                #[cfg(unix)]
                builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
                self.file.insert(BufWriter::with_capacity(1 << 20, builder.tempfile_in(&self.folder)?))
            }
        };
        file.write_all(&Magic::REGTEST.to_bytes())?;
        file.write_all(&id::small(self.bytes.len()).to_le_bytes())?;
        file.write_all(&self.bytes)?;
        self.length += length;
        Ok(())
    }

    /// Gives the file its name.
    fn close(&mut self) -> io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let file: NamedTempFile = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(self.folder.join(format!("blk{:05}.dat", self.number)))?;
        (self.number, self.length) = (self.number + 1, 0);
        if let Ok(folder) = File::open(&self.folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    /// Completes the last file.
    ///
    /// # Errors
    ///
    /// [`Error::is_io`]; the message names the folder.
    pub fn finish(mut self) -> Result<(), Error> {
        let closed = self.close();
        closed.map_err(|error| Error::from(error).within(self.folder.display()))
    }
}
