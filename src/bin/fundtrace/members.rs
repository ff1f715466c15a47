//! `fundtrace cluster --members`: every address with the name of its cluster, as CSV or as Parquet.
//!
//! Both have the columns `address` and `cluster` and the rows in the same order: clusters by their first address, in a cluster the addresses in chain order.

use std::io::{Error as IoError, Write};
use std::path::Path;
use std::sync::Arc;

use fundtrace::cluster::Clusters;
use fundtrace::{Error, View};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::save::save;

/// The columns of a Parquet file.
const SCHEMA: &str = "message members { REQUIRED BYTE_ARRAY address (UTF8); REQUIRED BYTE_ARRAY cluster (UTF8); }";

/// Rows that are held in memory before they are written: a row group.
const GROUP: usize = 1 << 18;

pub(crate) fn write(view: View<'_>, clusters: &Clusters, path: &Path) -> Result<(), Error> {
    let columns = path.extension().is_some_and(|extension| extension == "parquet");
    save(path, |out| if columns { parquet(view, clusters, out) } else { csv(view, clusters, out) })
}

/// Hands on every address with the name of its cluster, each written once.
fn each(
    view: View<'_>,
    clusters: &Clusters,
    mut row: impl FnMut(&str, &str) -> std::io::Result<()>,
) -> std::io::Result<()> {
    for (_, members) in clusters.iter() {
        let name = view.address(members[0]).to_string();
        row(&name, &name)?;
        for address in &members[1..] {
            row(&view.address(*address).to_string(), &name)?;
        }
    }
    Ok(())
}

fn csv(view: View<'_>, clusters: &Clusters, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["address", "cluster"])?;
    each(view, clusters, |address, cluster| Ok(csv.write_record([address, cluster])?))?;
    csv.flush()
}

fn parquet(view: View<'_>, clusters: &Clusters, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let schema = Arc::new(parse_message_type(SCHEMA).map_err(failed)?);
    // An address is there once, so a dictionary of them would be all of them; clusters repeat.
    let properties = WriterProperties::builder().set_column_dictionary_enabled("address".into(), false).build();
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(failed)?;
    let (mut addresses, mut names) = (Vec::new(), Vec::new());
    let mut flush = |addresses: &mut Vec<ByteArray>, names: &mut Vec<ByteArray>| {
        let mut group = writer.next_row_group()?;
        for values in [addresses, names] {
            let mut column = group.next_column()?.expect("the schema has two columns");
            column.typed::<ByteArrayType>().write_batch(values, None, None)?;
            column.close()?;
            values.clear();
        }
        group.close().map(|_| ())
    };
    each(view, clusters, |address, cluster| {
        addresses.push(ByteArray::from(address));
        // A name is kept once for all members that follow each other.
        let same = names.last().filter(|last: &&ByteArray| last.data() == cluster.as_bytes()).cloned();
        names.push(same.unwrap_or_else(|| ByteArray::from(cluster)));
        if names.len() == GROUP { flush(&mut addresses, &mut names).map_err(failed) } else { Ok(()) }
    })?;
    if !names.is_empty() {
        flush(&mut addresses, &mut names).map_err(failed)?;
    }
    writer.close().map(|_| ()).map_err(failed)
}

/// The error below, where writing failed: a full disk says so.
fn failed(error: ParquetError) -> IoError {
    match error {
        ParquetError::External(source) => match source.downcast::<IoError>() {
            Ok(error) => *error,
            Err(source) => IoError::other(source),
        },
        other => IoError::other(other),
    }
}
