//! Where bytes wait until a store is written: in memory for a chain that is frozen in place, in nameless files for one that
//! streams, so that memory stays within fixed buffers and nothing is left behind by a process that is killed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;

use bitcoin::hashes::{Hash, HashEngine, sha256};

use crate::id;

/// Bytes a spool holds before it writes them to its file.
const SPOOL_BYTES: usize = 256 << 10;
/// Bytes a bucket holds before it writes them to its file. There can be thousands of buckets.
const BUCKET_BYTES: usize = 16 << 10;
/// Bytes that all buckets of a kind hold before any is written to a file: a short chain never is.
const HELD_BYTES: usize = 48 << 20;

#[derive(Clone, Debug)]
pub(crate) enum Scratch {
    Memory,
    /// Files without a name in this folder.
    Folder(PathBuf),
}

impl Scratch {
    fn file(&self) -> io::Result<Option<File>> {
        match self {
            Self::Memory => Ok(None),
            Self::Folder(folder) => tempfile::tempfile_in(folder).map(Some),
        }
    }

    fn spills(&self) -> bool {
        matches!(self, Self::Folder(_))
    }
}

/// A column as it grows: only the end is written, any part can be read back.
pub(crate) struct Spool {
    scratch: Scratch,
    file: Option<File>,
    in_file: u64,
    buffer: Vec<u8>,
    hash: sha256::HashEngine,
}

impl Spool {
    pub(crate) fn new(scratch: &Scratch) -> Self {
        let scratch = scratch.clone();
        Self { scratch, file: None, in_file: 0, buffer: Vec::new(), hash: sha256::Hash::engine() }
    }

    pub(crate) fn len(&self) -> u64 {
        self.in_file + id::number(self.buffer.len())
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= SPOOL_BYTES && self.scratch.spills() {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes a number of `N` bytes.
    pub(crate) fn number<const N: usize>(&mut self, number: u64) -> io::Result<()> {
        self.write(&number.to_le_bytes()[..N])
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = self.scratch.file()?;
        }
        let file = self.file.as_mut().expect("only a spool that spills is flushed");
        file.seek(SeekFrom::Start(self.in_file))?;
        file.write_all(&self.buffer)?;
        self.hash.input(&self.buffer);
        self.in_file += id::number(self.buffer.len());
        self.buffer.clear();
        Ok(())
    }

    pub(crate) fn read(&mut self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; id::at(range.end - range.start)];
        let from_file = range.end.min(self.in_file).saturating_sub(range.start);
        let (head, tail) = bytes.split_at_mut(id::at(from_file));
        if let (Some(file), false) = (&mut self.file, head.is_empty()) {
            file.seek(SeekFrom::Start(range.start))?;
            file.read_exact(head)?;
        }
        let start = id::at((range.start + from_file).saturating_sub(self.in_file));
        tail.copy_from_slice(&self.buffer[start..start + tail.len()]);
        Ok(bytes)
    }

    /// The hash of everything written; nothing may be written afterwards.
    pub(crate) fn seal(&mut self) -> io::Result<sha256::Hash> {
        if self.file.is_some() {
            self.flush()?;
        } else {
            self.hash.input(&self.buffer);
        }
        Ok(sha256::Hash::from_engine(self.hash.clone()))
    }

    /// As [`copy_to`](Self::copy_to), leaving it to the system how bytes get from file to file.
    pub(crate) fn copy_to_file(&mut self, out: &mut File) -> io::Result<()> {
        match &mut self.file {
            None => out.write_all(&self.buffer),
            Some(file) => {
                file.seek(SeekFrom::Start(0))?;
                io::copy(file, out).map(|_| ())
            }
        }
    }

    pub(crate) fn copy_to(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match &mut self.file {
            None => out.write_all(&self.buffer),
            Some(file) => {
                let mut block = vec![0; SPOOL_BYTES];
                file.seek(SeekFrom::Start(0))?;
                loop {
                    match file.read(&mut block)? {
                        0 => return Ok(()),
                        read => out.write_all(&block[..read])?,
                    }
                }
            }
        }
    }
}

/// Records dealt into buckets, each taken back whole and in the order it was filled: a sort whose last step fits in memory.
#[derive(Debug)]
pub(crate) struct Buckets {
    scratch: Scratch,
    file: Option<File>,
    in_file: u64,
    held: usize,
    buckets: Vec<Bucket>,
}

#[derive(Clone, Default, Debug)]
struct Bucket {
    buffer: Vec<u8>,
    /// Offsets and lengths in the file.
    spilled: Vec<(u64, u32)>,
}

impl Buckets {
    pub(crate) fn new(scratch: &Scratch, count: usize) -> Self {
        Self { scratch: scratch.clone(), file: None, in_file: 0, held: 0, buckets: vec![Bucket::default(); count] }
    }

    pub(crate) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Adds a record, in two parts, to a bucket; buckets appear as they are named.
    pub(crate) fn push(&mut self, bucket: usize, head: &[u8], tail: &[u8]) -> io::Result<()> {
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, Bucket::default());
        }
        let count = self.buckets.len();
        let buffer = &mut self.buckets[bucket].buffer;
        buffer.extend_from_slice(head);
        buffer.extend_from_slice(tail);
        self.held += head.len() + tail.len();
        let least = BUCKET_BYTES.min(HELD_BYTES / count);
        if self.held >= HELD_BYTES && buffer.len() >= least && self.scratch.spills() {
            self.spill(bucket)?;
        }
        Ok(())
    }

    #[cold]
    fn spill(&mut self, bucket: usize) -> io::Result<()> {
        if self.file.is_none() {
            self.file = self.scratch.file()?;
        }
        let file = self.file.as_mut().expect("only buckets that spill are spilled");
        let Bucket { buffer, spilled } = &mut self.buckets[bucket];
        // Reading moves the position, and all writing comes before all reading.
        file.write_all(buffer)?;
        spilled.push((self.in_file, id::small(buffer.len())));
        self.in_file += id::number(buffer.len());
        self.held -= buffer.len();
        // A bucket that grew long while there was room gives the room back.
        *buffer = Vec::with_capacity(BUCKET_BYTES + (BUCKET_BYTES >> 4));
        Ok(())
    }

    pub(crate) fn take(&mut self, bucket: usize) -> io::Result<Vec<u8>> {
        let Some(Bucket { buffer, spilled }) = self.buckets.get_mut(bucket).map(std::mem::take) else {
            return Ok(Vec::new());
        };
        let Some(file) = &mut self.file else { return Ok(buffer) };
        let before: usize = spilled.iter().map(|(_, length)| id::at(*length)).sum();
        let mut bytes = vec![0; before];
        let mut rest = &mut bytes[..];
        for (offset, length) in spilled {
            let (part, after) = rest.split_at_mut(id::at(length));
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(part)?;
            rest = after;
        }
        bytes.extend_from_slice(&buffer);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> [Scratch; 2] {
        [Scratch::Memory, Scratch::Folder(std::env::temp_dir())]
    }

    #[test]
    fn spool_reads_back_what_was_written() {
        for scratch in both() {
            let mut spool = Spool::new(&scratch);
            let bytes: Vec<u8> = (0..700_001_u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
            bytes.chunks(1000).for_each(|part| spool.write(part).expect("written"));
            for range in [0..700_001_u64, 0..10, 262_000..262_200, 699_990..700_001, 5..5] {
                let expected = &bytes[id::at(range.start)..id::at(range.end)];
                assert_eq!(spool.read(range).expect("read"), expected);
            }
            assert_eq!(spool.seal().expect("sealed"), sha256::Hash::hash(&bytes));
            let mut copy = Vec::new();
            spool.copy_to(&mut copy).expect("copied");
            assert_eq!(copy, bytes);
        }
    }

    #[test]
    fn buckets_keep_their_order() {
        for scratch in both() {
            let mut buckets = Buckets::new(&scratch, 2);
            for n in 0..30_000_u32 {
                buckets.push(id::at(n % 3), &n.to_le_bytes(), b"!").expect("pushed");
            }
            assert_eq!(buckets.len(), 3);
            for bucket in 0..3_u32 {
                let bytes = buckets.take(id::at(bucket)).expect("taken");
                let expected: Vec<u8> = (0..10_000_u32)
                    .flat_map(|n| [(n * 3 + bucket).to_le_bytes().to_vec(), b"!".to_vec()].concat())
                    .collect();
                assert_eq!(bytes, expected);
            }
        }
    }
}
