//! Lines of bounded length, counted.

use std::io::{BufRead, Read};

use crate::error::{At, SourceError};
use crate::id;

/// A line holds one transaction: twice 4 MB of hex, its prevouts, and room to spare. A longer line is refused before it is
/// held in memory.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Reads lines that are not blank into one buffer.
pub(crate) struct Lines<R> {
    reader: R,
    bytes_max: u64,
    place: fn(u64) -> At,
    number: u64,
    ended: bool,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// `place` makes the place of a line from its number.
    pub(crate) fn new(reader: R, place: fn(u64) -> At) -> Self {
        Self { reader, bytes_max: LINE_BYTES_MAX, place, number: 0, ended: false, buffer: Vec::new() }
    }

    /// Refuses lines longer than this.
    pub(crate) fn bytes_max(mut self, bytes_max: u64) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// The place of the line that was read last, or of the one that would have come at the end.
    pub(crate) fn at(&self) -> At {
        (self.place)(self.number)
    }

    /// The next line with its place, without the white space at its end.
    pub(crate) fn next(&mut self) -> Result<Option<(At, &[u8])>, SourceError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            self.buffer.clear();
            self.number += 1;
            let at = self.at();
            let read = self.reader.by_ref().take(self.bytes_max).read_until(b'\n', &mut self.buffer);
            match read.map(id::number).map_err(|error| SourceError::Io { at, error })? {
                0 => self.ended = true,
                read if read == self.bytes_max && !self.buffer.ends_with(b"\n") => {
                    return Err(SourceError::Long { at, bytes_max: self.bytes_max });
                }
                _ if self.buffer.iter().all(u8::is_ascii_whitespace) => {}
                _ => break,
            }
        }
        Ok(Some((self.at(), self.buffer.trim_ascii_end())))
    }

    /// What `parse` makes of each line.
    pub(super) fn each<T>(
        mut self,
        mut parse: impl FnMut(At, &[u8]) -> Result<T, SourceError>,
    ) -> impl Iterator<Item = Result<T, SourceError>> {
        std::iter::from_fn(move || match self.next() {
            Ok(line) => line.map(|(at, line)| parse(at, line)),
            Err(error) => Some(Err(error)),
        })
    }
}
