//! Any bytes as a block file: scanned, read through `bitcoin`, and written through the zero-copy path.
#![no_main]

use fundtrace::bitcoin::Network;
use fundtrace::chain::Writer;
use fundtrace::source::blk::Blocks;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    if std::fs::write(folder.path().join("blk00000.dat"), bytes).is_err() {
        return;
    }
    if let Ok(blocks) = Blocks::open(&[folder.path()], Network::Regtest) {
        let _ = blocks.txs().count();
        let mut writer = Writer::new(Network::Regtest, folder.path());
        let _ = blocks.write_to(&mut writer, |_| ());
    }
});
