//! The destination of the text of a new key, which cannot be shown again: it is opened before the key is created.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::arguments::Command;
use crate::failure::Failure;
use crate::output;

/// The destination of the text of a new key.
pub(crate) enum Destination {
    Stdout,
    File(NewFile),
}

/// A file that only its owner can read. Dropping it removes the file, unless the text was written.
pub(crate) struct NewFile {
    file: File,
    path: PathBuf,
    has_text: bool,
}

impl Destination {
    /// Opens the destination for a command. Only `create` and `rotate` write a text.
    pub(crate) fn of(command: &Command) -> Result<Self, Failure> {
        let output = match command {
            Command::Create(create) => &create.output,
            Command::Rotate(rotate) => &rotate.output,
            _ => return Ok(Self::Stdout),
        };
        if let Some(path) = &output.output {
            return NewFile::create(path).map(Self::File);
        }
        // A closed stdout looks the same, because the runtime opens the null device in its place.
        match is_null_device(&io::stdout()) {
            Ok(false) => Ok(Self::Stdout),
            Ok(true) => Err(Failure::outside(
                "cannot print the text of a new key: stdout is closed or the null device; set --output",
            )),
            Err(error) => Err(Failure::outside(format!("cannot inspect stdout: {error}"))),
        }
    }

    /// Returns the path of the file, if the destination is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File(new) => Some(&new.path),
        }
    }

    /// Writes the text of a key.
    pub(crate) fn write(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Stdout => output::print(text),
            Self::File(new) => {
                writeln!(new.file, "{text}")?;
                new.file.sync_all()?;
                new.has_text = true;
                Ok(())
            }
        }
    }
}

impl NewFile {
    fn create(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(file) => Ok(Self { file, path: path.to_owned(), has_text: false }),
            Err(error) => {
                Err(Failure::outside(format!("cannot create --output {}: {error}", path.display())))
            }
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.has_text {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn is_null_device(stdout: &io::Stdout) -> io::Result<bool> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    let own = File::from(stdout.as_fd().try_clone_to_owned()?).metadata()?;
    // Both accept a text and discard it.
    let is = |device| Ok::<_, io::Error>(own.rdev() == std::fs::metadata(device)?.rdev());
    Ok(own.file_type().is_char_device() && (is("/dev/null")? || is("/dev/zero")?))
}

#[cfg(not(unix))]
fn is_null_device(_: &io::Stdout) -> io::Result<bool> {
    Ok(false)
}
