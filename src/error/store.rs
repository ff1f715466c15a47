//! What can be wrong with a store.

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("not a store of fundtrace: it does not begin with a store's first eight bytes")]
    NotAStore,
    #[error(
        "the store is of format version {found}, and this program reads version {reads}; use the program that wrote it or index anew"
    )]
    Version { found: u32, reads: u32 },
    #[error("the store is cut short: it has {bytes} bytes and its directory names more; copy it again or index anew")]
    Short { bytes: usize },
    #[error(
        "the store is damaged in column {name}: its hash is not the one in the directory; copy it again or index anew"
    )]
    Column { name: &'static str },
    #[error("the store's header cannot be right: {what}; copy it again or index anew")]
    Header { what: String },
    #[error("the store is not sound: {what}; it was not written by this library, index anew")]
    Unsound { what: String },
}
