//! Writing a file so that its name always leads to a whole one.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::Chain;
use crate::error::Error;

/// Writes under a temporary name in the same folder, waits for the disk, and renames.
///
/// A process that is killed leaves at most the temporary file, `.NAME.*.partial`, which nothing reads.
pub(super) fn save(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Error> {
    let saved = || -> io::Result<()> {
        let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let prefix = format!(".{}.", name.to_string_lossy());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".partial");
        #[cfg(unix)]
        // As any other new file: the mask of the process decides.
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        write(file.as_file_mut())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // The new name must reach the disk too; not every system lets a folder be opened.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    };
    saved().map_err(|error| Error::from(error).within(path.display()))
}

impl<D: AsRef<[u8]>> Chain<D> {
    /// Writes the store under a temporary name beside `path`, makes sure it is on the disk, and renames it to `path`.
    ///
    /// # Errors
    ///
    /// [`Error::is_io`]; whatever was at `path` is then still there.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        save(path, |out| out.write_all(self.as_bytes()))
    }
}
