//! Files as wholes: written beside their place, then renamed into it. All results that are not tables go through here.
//! A place that the user names may also be a pipe or a device, which is written to as it is.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

/// Writes what `content` writes to the file at `path`; nothing is left behind if it fails.
///
/// # Errors
/// Those of the file system and of `content`.
pub fn write(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    if let Some(mut special) = special(path)? {
        content(&mut special)?;
        return special.flush();
    }
    // Through a link the file that it leads to is replaced, not the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().ok_or_else(|| io::Error::other("the path names no file"))?;
    let partial = path.with_file_name(format!(".{}.partial", name.display()));
    let written = File::create(&partial).and_then(|file| {
        let mut file = BufWriter::new(file);
        content(&mut file)?;
        file.flush()?;
        fs::rename(&partial, path)
    });
    written.inspect_err(|_| drop(fs::remove_file(&partial)))
}

/// A pipe or a device, such as `/dev/stdout`, which must never be replaced by a file.
fn special(path: &Path) -> io::Result<Option<BufWriter<File>>> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Ok(Some(BufWriter::new(File::options().write(true).open(path)?))),
        _ => Ok(None),
    }
}
