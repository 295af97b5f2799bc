//! Units of values, read from the suffix of their names (the catalogue's rule: the unit is the suffix).

/// Suffix and unit. The longer suffix stands before one that it ends in.
const UNITS: [(&str, &str); 15] = [
    ("_ratio", "ratio"),
    ("_bits", "bit"),
    ("_count", "count"),
    ("_celsius", "°C"),
    ("_bps", "bit/s"),
    ("_cps", "count/s"),
    ("_dbm", "dBm"),
    ("_db", "dB"),
    ("_km", "km"),
    ("_ms", "ms"),
    ("_ma", "mA"),
    ("_hops", "hops"),
    ("_percent", "%"),
    ("_h", "h"),
    ("_s", "s"),
];

/// The unit of a value, if its name says one.
#[must_use]
pub fn of(name: &str) -> Option<&'static str> {
    UNITS.iter().find(|(suffix, _)| name.ends_with(suffix)).map(|(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Catalogue;

    #[test]
    fn every_performance_name_of_the_catalogue_has_a_unit() {
        for value in &Catalogue::get().performance {
            assert!(of(&value.name).is_some(), "{}", value.name);
        }
        assert_eq!(of("laser_power_dbm"), Some("dBm"));
        assert_eq!(of("link_loss_db"), Some("dB"));
        assert_eq!(of("relay_latency_ms"), Some("ms"));
        assert_eq!(of("service_restoration_time_s"), Some("s"));
        assert_eq!(of("operational_state"), None);
    }
}
