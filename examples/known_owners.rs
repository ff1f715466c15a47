//! Clusters against owners who are known: a node's chain that is in `fixtures`, and an emulated chain of CoinJoins that lies outside the project.
//!
//! `cargo run --release --example known_owners`
//!
//! The second needs `FUNDTRACE_DATA`, the folder with the reference data; without it the example says that it was skipped. COMPARE.md carries the tables.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::{Path, PathBuf};

use fundtrace::bitcoin::{Address, Network, address::NetworkUnchecked};
use fundtrace::chain::Writer;
use fundtrace::eval::{ClusterRow, ClusterStudy};
use fundtrace::source::blk::Blocks;
use fundtrace::{AddressIndex, Chain, EntityIndex, View};

/// The emulated chain below the folder of the data.
const EMULATED: &str = "coinjoin_emulated_regtest/ww2_2024-04-05_15-19";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/btc_regtest_core31");
    let owners: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(folder.join("owners.json"))?)?;
    println!("A node's chain (`btc_regtest_core31`).");
    show(&study(&chain(&folder)?, &owners)?);
    println!();
    let Some(data) = std::env::var_os("FUNDTRACE_DATA") else {
        println!("skipped: FUNDTRACE_DATA is not set, so there is no emulated chain");
        return Ok(());
    };
    let folder = PathBuf::from(data).join(EMULATED);
    let wallets: BTreeMap<String, Vec<String>> =
        serde_json::from_slice(&std::fs::read(folder.join("wallet_addresses.json"))?)?;
    let each =
        wallets.into_iter().flat_map(|(wallet, all)| all.into_iter().map(move |address| (address, wallet.clone())));
    // Block files are found by their name.
    let blocks = std::env::temp_dir().join(format!("fundtrace-known-owners-{}", std::process::id()));
    std::fs::create_dir_all(&blocks)?;
    std::fs::write(blocks.join("blk00000.dat"), std::fs::read(folder.join("blk_regtest.dat"))?)?;
    let chain = chain(&blocks);
    std::fs::remove_dir_all(&blocks)?;
    println!("An emulated chain of Wasabi 2 with ten clients and six rounds (`coinjoin_emulated_regtest`).");
    show(&study(&chain?, &each.collect())?);
    Ok(())
}

/// Prints the rows that differ from spending, the guards and what we recommend.
fn show(study: &ClusterStudy) {
    let spending = study.rows().iter().find(|row| row.rules == "spending");
    let same =
        |row: &ClusterRow| spending.is_some_and(|spending| row.chains[0].by_owner == spending.chains[0].by_owner);
    let shown = |row: &ClusterRow| {
        let rules = row.rules.as_str();
        !same(row) || rules == "spending" || rules.contains("left out") || rules.starts_with("recommended")
    };
    let left = study.rows().iter().filter(|row| !shown(row)).count();
    println!("{left} rows that score as `spending` does are not shown.");
    println!();
    print!("{}", study.table(shown));
}

fn chain(folder: &Path) -> Result<Chain, fundtrace::Error> {
    let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
    Blocks::open(&[folder.to_owned()], Network::Regtest)?.write_to(&mut writer, |_| {})?;
    let mut store = Vec::new();
    writer.finish()?.write_to(&mut store)?;
    Chain::from_bytes(store)
}

fn study(chain: &Chain, owners: &BTreeMap<String, String>) -> Result<ClusterStudy, Box<dyn Error>> {
    let view = chain.view();
    let owners = numbered(view, owners)?;
    let mut study = ClusterStudy::default();
    study.add(view, |address| owners.get(&address).copied(), |_| None);
    Ok(study)
}

/// The owners of a view's addresses, numbered in the order of their first address.
fn numbered(
    view: View<'_>,
    owners: &BTreeMap<String, String>,
) -> Result<HashMap<AddressIndex, EntityIndex>, Box<dyn Error>> {
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut known = HashMap::new();
    for (address, owner) in owners {
        let address: Address<NetworkUnchecked> = address.parse()?;
        let script = address.require_network(view.network())?.script_pubkey();
        let Some(at) = view.address_index(&script) else { continue };
        let next = u32::try_from(numbers.len())?;
        known.insert(at, EntityIndex::from_u32(*numbers.entry(owner).or_insert(next)));
    }
    Ok(known)
}
