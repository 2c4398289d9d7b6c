//! Statistics of measurements.

/// Returns the median of some figures.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    quantile(figures, 0.5)
}

/// Returns the quantile of a fraction of some figures, interpolated between two of them.
pub fn quantile(figures: impl IntoIterator<Item = f64>, part: f64) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let position = part * (figures.len() - 1) as f64;
    let (below, above) = (figures[position.floor() as usize], figures[position.ceil() as usize]);
    below + (above - below) * position.fract()
}
