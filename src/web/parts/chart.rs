//! Charts as SVG. They consist of attributes only, because the content security policy refuses inline styles; colours come
//! from the style sheet. Beside each chart its page has the same numbers as text.

use std::fmt;

use askama::filters::HtmlSafe;

const SPARK_WIDTH: usize = 120;
const SPARK_HEIGHT: f64 = 24.0;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;
/// Space that a line's stroke needs above and below.
const MARGIN: f64 = 2.0;

/// A small line beside a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spark(pub Vec<f64>);

/// A chart of one series over time, with its largest value as the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// Description for readers who do not see the chart.
    pub label: &'static str,
    pub values: Vec<f64>,
}

/// A chart of stacked bars, one per day.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// Description for readers who do not see the chart.
    pub label: &'static str,
    /// The parts of each bar, from the bottom.
    pub bars: Vec<Vec<f64>>,
}

impl fmt::Display for Spark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = (SPARK_WIDTH as f64, SPARK_HEIGHT);
        // A flat line would look like a rule of the page.
        if self.0.iter().all(|value| *value == 0.0) {
            return Ok(());
        }
        // The number beside it is the text; the line only repeats it.
        write!(
            f,
            "<svg class=\"spark\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" aria-hidden=\"true\" focusable=\"false\">"
        )?;
        line(f, &thinned(&self.0, SPARK_WIDTH / 2), width, height)?;
        f.write_str("</svg>")
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        open(f, self.label)?;
        line(f, &thinned(&self.values, WIDTH as usize / 2), WIDTH, HEIGHT)?;
        f.write_str("</svg>")
    }
}

impl fmt::Display for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        open(f, self.label)?;
        let top = self
            .bars
            .iter()
            .map(|bar| bar.iter().sum::<f64>())
            .fold(1.0, f64::max);
        let step = WIDTH / self.bars.len().max(1) as f64;
        for (index, bar) in self.bars.iter().enumerate() {
            let mut below = 0.0;
            for (part, value) in bar.iter().enumerate().filter(|(_, value)| **value > 0.0) {
                let height = value / top * (HEIGHT - MARGIN);
                write!(
                    f,
                    "<rect class=\"p{part}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
                    index as f64 * step + step * 0.1,
                    HEIGHT - below - height,
                    step * 0.8,
                )?;
                below += height;
            }
        }
        f.write_str("</svg>")
    }
}

// They consist of numbers and fixed words.
impl HtmlSafe for Spark {}
impl HtmlSafe for Lines {}
impl HtmlSafe for Bars {}

fn open(f: &mut fmt::Formatter<'_>, label: &str) -> fmt::Result {
    write!(
        f,
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">"
    )
}

/// Writes the line and the area below it.
fn line(f: &mut fmt::Formatter<'_>, values: &[f64], width: f64, height: f64) -> fmt::Result {
    if values.len() < 2 {
        return Ok(());
    }
    let top = values.iter().copied().fold(1.0, f64::max);
    let step = width / (values.len() - 1) as f64;
    let mut points = String::new();
    for (index, value) in values.iter().enumerate() {
        let y = height - MARGIN - value / top * (height - 2.0 * MARGIN);
        points.push_str(&format!("{:.1},{y:.1} ", index as f64 * step));
    }
    let points = points.trim_end();
    write!(
        f,
        "<polygon points=\"0,{height} {points} {width},{height}\"/><polyline points=\"{points}\"/>"
    )
}

/// Returns at most `most` values: each is the largest of its share, so that no peak is lost.
fn thinned(values: &[f64], most: usize) -> Vec<f64> {
    let share = values.len().div_ceil(most.max(1)).max(1);
    let largest = |share: &[f64]| share.iter().copied().fold(0.0, f64::max);
    values.chunks(share).map(largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_survives_the_thinning() {
        let mut values = vec![0.0; 1440];
        values[777] = 9.0;
        let thin = thinned(&values, 60);
        assert_eq!((thin.len(), thin.iter().copied().fold(0.0, f64::max)), (60, 9.0));
    }

    #[test]
    fn bars_are_stacked_from_the_bottom() {
        let bars = Bars {
            label: "events by day",
            bars: vec![vec![1.0, 3.0], vec![0.0, 0.0]],
        };
        insta::assert_snapshot!(bars.to_string());
    }

    #[test]
    fn a_line_needs_two_values() {
        assert!(!Spark(vec![3.0]).to_string().contains("polyline"));
        insta::assert_snapshot!(Spark(vec![0.0, 5.0, 10.0]).to_string());
    }
}
