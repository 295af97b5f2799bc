//! Figures for people: bits, rates, shares and times.

/// An amount of bits: `12.4 Mbit`.
pub(crate) fn bits(amount: f64) -> String {
    scaled(amount, "bit")
}

/// A rate: `3.1 kbit/s`.
pub(crate) fn rate(bits_per_second: f64) -> String {
    scaled(bits_per_second, "bit/s")
}

/// A share: `8.5 %`.
pub(crate) fn percent(ratio: f64) -> String {
    format!("{} %", short(ratio * 100.0))
}

/// A time of at most two units: `1 h 7 min`.
pub(crate) fn time(seconds: f64) -> String {
    if !seconds.is_finite() || seconds >= 1e9 {
        return "many years".to_owned();
    }
    let whole = seconds as u64;
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let Some(start) = units.iter().position(|&(size, _)| whole >= size) else { return "less than 1 s".to_owned() };
    let mut rest = whole;
    let mut parts = Vec::new();
    for &(size, unit) in units.iter().skip(start).take(2) {
        if rest / size > 0 {
            parts.push(format!("{} {unit}", rest / size));
        }
        rest %= size;
    }
    parts.join(" ")
}

fn scaled(amount: f64, unit: &str) -> String {
    let scales = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match scales.iter().find(|&&(size, _)| amount.abs() >= size) {
        Some((size, prefix)) => format!("{} {prefix}{unit}", short(amount / size)),
        None => format!("{} {unit}", short(amount)),
    }
}

/// A number with three digits where it has more, and no zeros at the end of a fraction.
fn short(number: f64) -> String {
    let places = if number.abs() >= 100.0 {
        0
    } else if number.abs() >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{number:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let told = [bits(12_400_000.0), bits(0.0), bits(999.0), rate(3_100.0), rate(-20.0), percent(0.085), bits(1e30)];
        assert_eq!(told[..6], ["12.4 Mbit", "0 bit", "999 bit", "3.1 kbit/s", "-20 bit/s", "8.5 %"]);
        assert!(told[6].ends_with(" Pbit"));
        let times = [0.2, 45.0, 3_600.0, 4_020.0, 90_061.0, 1e12].map(time);
        assert_eq!(times, ["less than 1 s", "45 s", "1 h", "1 h 7 min", "1 d 1 h", "many years"]);
    }
}
