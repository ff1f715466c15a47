//! What can be wrong with a file of tags.

use super::At;

#[derive(Debug, thiserror::Error)]
pub(crate) enum TagError {
    #[error(
        "the form of the tags was not recognised: {found}; expected a TagPack (YAML, \"title: ...\"), CSV whose first line names the column \
         \"address\", or a list of addresses, one a line or as a JSON array"
    )]
    Unrecognised { found: String },
    #[error("the file is longer than {bytes_max} bytes; split it into several")]
    Large { bytes_max: u64 },
    #[error("{form} cannot be read by this program; build it with the feature {feature:?}")]
    #[cfg(not(all(feature = "tagpack", feature = "csv")))]
    Feature { form: &'static str, feature: &'static str },
    #[error("{at}: {what}")]
    Bad { at: At, what: String },
    #[cfg(any(feature = "tagpack", feature = "csv"))]
    #[error("{at}: {field} is {found:?}: {what}")]
    Field { at: At, field: &'static str, found: String, what: String },
    #[cfg(any(feature = "tagpack", feature = "csv"))]
    #[error("{at}: the tag has no {field}; {mend}")]
    Lacks { at: At, field: &'static str, mend: &'static str },
}
