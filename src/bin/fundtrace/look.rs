//! `fundtrace tx`, `address` and `output`: one thing with its neighbours.

use std::io::{BufWriter, Error as IoError, ErrorKind, Write};
use std::path::PathBuf;

use clap::Args as ClapArgs;
use fundtrace::bitcoin::address::NetworkUnchecked;
use fundtrace::bitcoin::{Address, Network, OutPoint, Txid};
use fundtrace::chain::{Input, Output, Spent, Tx};
use fundtrace::{BlockHeight, Error, View, spec};
use serde_json::{Value, json};

use crate::input::{self, FormArgs};

/// Where to look, and how to show it.
#[derive(ClapArgs, Debug)]
struct At {
    /// A store, or any source that `trace` reads.
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// The network; a store knows its own.
    #[arg(long, value_name = "NAME", value_parser = spec::network)]
    network: Option<Network>,
    /// Look at the chain as of the end of the block at this height.
    #[arg(long, value_name = "HEIGHT")]
    as_of: Option<u32>,
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    forms: FormArgs,
}

/// Show a transaction: what it spends and from whom, what it makes and who spends that.
#[derive(ClapArgs, Debug)]
pub(crate) struct TxArgs {
    #[command(flatten)]
    at: At,
    /// The transaction.
    #[arg(value_name = "TXID")]
    txid: Txid,
}

/// Show an output: its value and address, the transaction that made it and the one that spends it.
#[derive(ClapArgs, Debug)]
pub(crate) struct OutputArgs {
    #[command(flatten)]
    at: At,
    /// The output.
    #[arg(value_name = "TXID:VOUT")]
    outpoint: OutPoint,
}

/// Show an address: every output that pays it and what became of each.
#[derive(ClapArgs, Debug)]
pub(crate) struct AddressArgs {
    #[command(flatten)]
    at: At,
    /// The address.
    #[arg(value_name = "ADDRESS")]
    address: Address<NetworkUnchecked>,
}

pub(crate) fn tx(args: &TxArgs) -> Result<(), Error> {
    show(&args.at, |view| {
        let tx = view.tx_at(&args.txid).ok_or_else(|| absent(format!("transaction {}", args.txid)))?;
        Ok(tx_json(tx))
    })
}

pub(crate) fn output(args: &OutputArgs) -> Result<(), Error> {
    show(&args.at, |view| {
        let output = view.output_at(args.outpoint).ok_or_else(|| absent(format!("output {}", args.outpoint)))?;
        let mut shown = output_json(output);
        shown["tx"] = tx_json(output.tx());
        Ok(shown)
    })
}

pub(crate) fn address(args: &AddressArgs) -> Result<(), Error> {
    show(&args.at, |view| {
        let name = args.address.clone().assume_checked();
        let address = args.address.clone().require_network(view.network()).map_err(|_| {
            let what = format!("{name} is an address of another network than {}", view.network());
            Error::from(IoError::new(ErrorKind::InvalidInput, what))
        })?;
        let found = view.address_index(&address.script_pubkey()).map(|index| view.outputs_of(index));
        let outputs = found.filter(|outputs| !outputs.is_empty()).ok_or_else(|| absent(format!("address {name}")))?;
        let (mut received, mut unspent) = (0, 0);
        let mut listed = Vec::new();
        for output in outputs.iter().map(|index| view.output(index)) {
            let sat = output.value().map_or(0, |value| value.to_sat());
            received += sat;
            unspent += if matches!(output.spent(), Spent::By(_)) { 0 } else { sat };
            listed.push(output_json(output));
        }
        let not_spent_here = json!({"received_sat": received, "not_spent_here_sat": unspent});
        Ok(json!({"address": name.to_string(), "totals": not_spent_here, "outputs": listed}))
    })
}

fn absent(what: String) -> Error {
    IoError::new(ErrorKind::NotFound, format!("{what} is not in the input")).into()
}

fn show(at: &At, find: impl FnOnce(View<'_>) -> Result<Value, Error>) -> Result<(), Error> {
    let chain = input::load(std::slice::from_ref(&at.input), &at.forms, at.network)?;
    let view = at.as_of.map_or(chain.view(), |height| chain.as_of(BlockHeight::from_u32(height)));
    let found = find(view)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    if at.json {
        serde_json::to_writer(&mut out, &found).map_err(IoError::from)?;
        writeln!(out)?;
    } else {
        lines(&found, 0, &mut out)?;
    }
    Ok(out.flush()?)
}

/// A line for each value, indented by depth; what is unknown is left out.
fn lines(value: &Value, depth: usize, out: &mut impl Write) -> std::io::Result<()> {
    let Value::Object(fields) = value else { return writeln!(out, "{:depth$}{value}", "") };
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::Object(_) => {
                writeln!(out, "{:depth$}{name}", "")?;
                lines(value, depth + 2, out)?;
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    writeln!(out, "{:depth$}{name} {at}", "")?;
                    lines(item, depth + 2, out)?;
                }
            }
            Value::String(text) => writeln!(out, "{:depth$}{name:width$} {text}", "", width = 14)?,
            _ => writeln!(out, "{:depth$}{name:width$} {value}", "", width = 14)?,
        }
    }
    Ok(())
}

fn tx_json(tx: Tx<'_>) -> Value {
    json!({
        "txid": tx.txid().to_string(),
        "height": tx.height(),
        "position": tx.position(),
        "time": tx.time(),
        "coinbase": tx.is_coinbase(),
        "proven": tx.is_proven(),
        "stub": tx.is_stub(),
        "version": tx.version(),
        "lock_time": tx.lock_time(),
        "weight": tx.weight(),
        "fee_sat": tx.fee().map(|fee| fee.to_sat()),
        "inputs": tx.inputs().map(input_json).collect::<Vec<_>>(),
        "outputs": tx.outputs().map(output_json).collect::<Vec<_>>(),
    })
}

fn input_json(input: Input<'_>) -> Value {
    let prevout = input.prevout();
    json!({
        "spends": prevout.map(|output| output.outpoint().to_string()),
        "value_sat": input.value().map(|value| value.to_sat()),
        "address": prevout.and_then(|output| output.address()).map(|address| address.to_string()),
        "type": input.script_type(),
        "redeem_type": input.redeem_type(),
        "witness_script_type": input.witness_script_type(),
        "sequence": input.spend().map(|spend| spend.sequence()),
    })
}

fn output_json(output: Output<'_>) -> Value {
    let (fate, spender) = match output.spent() {
        Spent::By(_) => ("spent", output.spender().map(|tx| tx.txid())),
        _ if output.is_unspendable() => ("unspendable", None),
        Spent::Unspent => ("unspent", None),
        _ => ("unknown", output.named_spender()),
    };
    json!({
        "outpoint": output.outpoint().to_string(),
        "value_sat": output.value().map(|value| value.to_sat()),
        "type": output.script_type(),
        "address": output.address().map(|address| address.to_string()),
        "script": output.script().map(|script| script.to_hex_string()),
        "fate": fate,
        "spent_by": spender.map(|txid| txid.to_string()),
    })
}
