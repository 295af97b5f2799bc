//! No line does harm: the decoder does not panic, leaves nothing of a refused line behind, accepts nothing that is not
//! JSON, and what it says of a line does not depend on the lines before.

use std::sync::OnceLock;

use qkdn_manager::{
    model::{Catalogue, ReportBatch, Symbol, SymbolTable, Timestamp},
    wire::{DecodeOptions, Decoded, Decoder},
};

static SYMBOLS: OnceLock<SymbolTable> = OnceLock::new();

fn decode<'l>(decoder: &mut Decoder, line: &'l [u8]) -> (Decoded<'l>, ReportBatch) {
    let mut batch = ReportBatch::default();
    let symbols = SYMBOLS.get_or_init(|| {
        let symbols = SymbolTable::new();
        Catalogue::get().intern(&symbols);
        symbols
    });
    let options = DecodeOptions { symbols, now: Timestamp(1_767_225_600_000), keep_raw: false, exchange: false };
    let decoded = decoder.decode(line, &mut batch, &options);
    let mut number = 1_000;
    decoder.bind_resources(&mut batch, &mut |_| {
        number += 1;
        Some(Symbol(number))
    });
    (decoded, batch)
}

/// One input: lines.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn check(input: &[u8]) {
    let mut reused = Decoder::new();
    for line in input.split(|byte| *byte == b'\n') {
        let (decoded, batch) = decode(&mut reused, line);
        let mut fresh = Decoder::new();
        assert_eq!((&decoded, &batch), (&decode(&mut fresh, line).0, &decode(&mut fresh, line).1));
        match decoded {
            Decoded::Report { .. } | Decoded::Answer { .. } => {
                assert!(serde_json::from_slice::<serde_json::Value>(line).is_ok());
                assert_eq!(batch.len(), 1);
                assert_eq!(batch.samples(0), 0..batch.values.len());
                for array in [&batch.names, &batch.resources, &batch.flags] {
                    assert_eq!(array.len(), batch.values.len());
                }
                assert!(batch.values.iter().all(|value| value.is_finite()));
                for object in &batch.objects {
                    assert!(batch.object_text(object).starts_with('{'));
                }
            }
            _ => assert_eq!(batch, ReportBatch::default()),
        }
    }
}
