//! The one error of this crate: what is wrong, where, and how to mend it.
//!
//! [`Error`] is opaque; ask it with the `is_*` predicates. Its kinds live beside the module that they serve.

pub(crate) mod blk;
pub(crate) mod chain;
pub(crate) mod source;
pub(crate) mod spec;
pub(crate) mod store;
pub(crate) mod tag;
pub(crate) mod truth;

use std::error::Error as StdError;
use std::fmt;

pub(crate) use blk::BlkError;
pub(crate) use chain::ChainError;
pub(crate) use source::{At, SourceError};
pub(crate) use spec::SpecError;
pub(crate) use store::StoreError;
pub(crate) use tag::TagError;
pub(crate) use truth::TruthError;

/// Why something could not be read, parsed, frozen, found or written.
///
/// # Examples
///
/// ```
/// use fundtrace::source::{Form, read};
/// let error = read(Form::Raw, "{\"txid\": 5}".as_bytes()).next().unwrap().unwrap_err();
/// assert!(error.is_parse());
/// assert!(error.to_string().starts_with("line 1"));
/// ```
pub struct Error {
    kind: Box<Kind>,
    place: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error(transparent)]
    Io(std::io::Error),
    #[error(transparent)]
    Source(SourceError),
    #[error(transparent)]
    Chain(ChainError),
    #[error(transparent)]
    Spec(SpecError),
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Blk(BlkError),
    #[error(transparent)]
    Truth(TruthError),
    #[error(transparent)]
    Tag(TagError),
}

impl Error {
    /// Says where the error arose, in front of the message: a file's name, say.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = "x:0".parse::<fundtrace::spec::SeedSpec>().unwrap_err().within("case.toml");
    /// assert!(error.to_string().starts_with("case.toml: "));
    /// ```
    #[must_use]
    pub fn within(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(match self.place.take() {
            Some(inner) => format!("{place}: {inner}"),
            None => place.to_string(),
        });
        self
    }

    /// True when reading or writing bytes failed.
    pub fn is_io(&self) -> bool {
        self.io_kind().is_some()
    }

    /// Returns the kind of a reading or writing failure, so that a command can tell a closed pipe.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Error as IoError, ErrorKind};
    /// let error = fundtrace::Error::from(IoError::from(ErrorKind::BrokenPipe));
    /// assert_eq!(error.io_kind(), Some(ErrorKind::BrokenPipe));
    /// ```
    pub fn io_kind(&self) -> Option<std::io::ErrorKind> {
        match &*self.kind {
            Kind::Io(error) => Some(error.kind()),
            Kind::Source(SourceError::Io { error, .. }) => Some(error.kind()),
            _ => None,
        }
    }

    /// True when bytes were read but are not what their form demands.
    pub fn is_parse(&self) -> bool {
        let source = matches!(&*self.kind, Kind::Source(error) if !error.is_txid_mismatch());
        (source || matches!(*self.kind, Kind::Blk(_))) && !self.is_io()
    }

    /// True when a transaction's bytes do not hash to the txid they were given under.
    pub fn is_txid_mismatch(&self) -> bool {
        matches!(&*self.kind, Kind::Source(error) if error.is_txid_mismatch())
    }

    /// True when two facts contradict each other, or a fact contradicts the rules of the chain: two spenders of one
    /// output, a height below a parent's, a prevout unlike the output it names, a value over the supply.
    pub fn is_contradiction(&self) -> bool {
        matches!(*self.kind, Kind::Chain(_))
    }

    /// True when a store is not one, cut short, damaged, or of a format version that this program does not read.
    pub fn is_store(&self) -> bool {
        matches!(*self.kind, Kind::Store(_))
    }

    /// True when what was asked for is malformed or names something that is not there: a seed, a policy, a case file.
    pub fn is_spec(&self) -> bool {
        matches!(*self.kind, Kind::Spec(_))
    }

    /// True when a row of a truth file contradicts the chain or another row, or names what is not there. A line that is no row
    /// at all [does not parse](Self::is_parse).
    pub fn is_truth(&self) -> bool {
        matches!(*self.kind, Kind::Truth(_))
    }

    /// True when a file of tags is none, or says something that no tag can: a level of confidence that there is not, a date that is none.
    pub fn is_tag(&self) -> bool {
        matches!(*self.kind, Kind::Tag(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        self.kind.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("place", &self.place).field("kind", &self.kind).finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The kind prints itself as this error's message, so the chain goes on below it.
        match &*self.kind {
            Kind::Io(error) => error.source(),
            Kind::Source(error) => error.source(),
            Kind::Chain(error) => error.source(),
            Kind::Spec(error) => error.source(),
            Kind::Store(error) => error.source(),
            Kind::Blk(error) => error.source(),
            Kind::Truth(error) => error.source(),
            Kind::Tag(error) => error.source(),
        }
    }
}

macro_rules! from_kind {
    ($($error:ty => $kind:ident),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self { kind: Box::new(Kind::$kind(error)), place: None }
            }
        }
    )*};
}

from_kind!(std::io::Error => Io, SourceError => Source, ChainError => Chain, SpecError => Spec, StoreError => Store, BlkError => Blk, TruthError => Truth, TagError => Tag);
