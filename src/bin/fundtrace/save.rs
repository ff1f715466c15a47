//! Files that appear only when they are whole.

use std::io::{BufWriter, Error as IoError, ErrorKind, Write};
use std::path::Path;

use fundtrace::Error;

/// Writes under a temporary name in the same folder and renames; when something fails nothing is left, and what was there before stays. A link
/// stays a link, and a file that is replaced keeps its permissions.
pub(crate) fn save(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> std::io::Result<()>,
) -> Result<(), Error> {
    let saved = || -> std::io::Result<()> {
        let there = path.canonicalize().ok();
        let path = there.as_deref().unwrap_or(path);
        let name = path.file_name().ok_or_else(|| IoError::from(ErrorKind::InvalidFilename))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let prefix = format!(".{}.", name.to_string_lossy());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".partial");
        #[cfg(unix)]
        // As any other new file: the mask of the process decides.
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // Its errors name the temporary file, which nobody knows.
        let file = builder.tempfile_in(folder).map_err(|error| IoError::from(error.kind()))?;
        if there.is_some() {
            file.as_file().set_permissions(path.metadata()?.permissions())?;
        }
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        let file = out.into_inner().map_err(|error| error.into_error())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    saved().map_err(|error| Error::from(error).within(path.display()))
}
