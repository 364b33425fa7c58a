//! The picture: a panel for each thing there can be more of. Plain SVG; white ground, so that it can be read anywhere.

use std::fmt::Write as _;

use crate::report::thousands;

/// One size.
pub struct Point {
    pub size: usize,
    /// CPU a request, as a multiple of the smallest size's: median, lowest and highest round.
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// One line.
pub struct Series {
    pub label: &'static str,
    pub points: Vec<Point>,
}

/// One frame.
pub struct Panel {
    /// What there is more of, to the right.
    pub axis: &'static str,
    pub series: Vec<Series>,
    /// The most that is aimed at.
    pub aim: Option<f64>,
}

/// Panels in a row.
const COLUMNS: usize = 2;
const WIDTH: f64 = 430.0;
const HEIGHT: f64 = 290.0;
/// Around the frame of a panel.
const LEFT: f64 = 72.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 50.0;
/// Above all panels.
const TITLE: f64 = 58.0;

const INK: &str = "#24292f";
const FAINT: &str = "#d8dee4";
const AIM: &str = "#b35900";
const COLOURS: [&str; 2] = ["#0550ae", "#8250df"];

/// Draws the panels.
pub fn draw(panels: &[Panel]) -> String {
    let columns = panels.len().clamp(1, COLUMNS);
    let rows = panels.len().div_ceil(columns);
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let (width, height) = (columns as f64 * WIDTH, TITLE + rows as f64 * HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"{INK}\">\n\
         <title>CPU time of a request against what there is more of</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    text(&mut svg, 16.0, 26.0, "start", "16", "CPU time of a request, as a multiple of the smallest size's");
    let legend = "each round against the smallest size in the same round; dots: median; whiskers: lowest and highest";
    text(&mut svg, 16.0, 46.0, "start", "12", legend);
    let most = panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.points);
    let most = most.map(|point| point.high).filter(|high| high.is_finite()).fold(1.5, f64::max);
    // Of one height in all panels: a step means the same everywhere. From zero: flat looks flat.
    let top = (most * 4.0).ceil() / 4.0;
    for (place, panel) in panels.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let (x, y) = ((place % columns) as f64 * WIDTH, TITLE + (place / columns) as f64 * HEIGHT);
        let _ = writeln!(svg, "<g transform=\"translate({x:.0} {y:.0})\">");
        frame(&mut svg, panel, top);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn frame(svg: &mut String, panel: &Panel, top: f64) {
    let sizes = panel.series.iter().flat_map(|series| &series.points).map(|point| point.size);
    let (least, most) = sizes.fold((usize::MAX, 1), |(least, most), size| (least.min(size), most.max(size)));
    let (least, most) = (log(least.min(most)), log(most).max(log(least.min(most)) + 1.0));
    // A little room beside the first and the last size.
    let x = |size: usize| LEFT + (WIDTH - LEFT - RIGHT) * ((log(size) - least) / (most - least) * 0.88 + 0.06);
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value / top);
    text(svg, LEFT, 20.0, "start", "13", panel.axis);
    let mut tick = 0.0;
    while tick <= top + 1e-9 {
        let colour = if tick == 0.0 { INK } else { FAINT };
        line(svg, (LEFT, y(tick)), (WIDTH - RIGHT, y(tick)), &format!("stroke=\"{colour}\""));
        text(svg, LEFT - 8.0, y(tick) + 4.0, "end", "12", &format!("{tick:.2}×"));
        tick += if top > 3.0 { 1.0 } else { 0.25 };
    }
    let mut decade = 1;
    while log(decade) <= most + 1e-9 {
        if log(decade) >= least - 1e-9 {
            line(svg, (x(decade), y(0.0)), (x(decade), y(0.0) + 5.0), &format!("stroke=\"{INK}\""));
            text(svg, x(decade), y(0.0) + 19.0, "middle", "12", &thousands(decade));
        }
        decade *= 10;
    }
    text(
        svg,
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 12.0,
        "middle",
        "12",
        &format!("{} (logarithmic)", panel.axis),
    );
    if let Some(aim) = panel.aim {
        let style = format!("stroke=\"{AIM}\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\"");
        line(svg, (LEFT, y(aim)), (WIDTH - RIGHT, y(aim)), &style);
        let (right, low) = (WIDTH - RIGHT - 14.0, HEIGHT - BOTTOM - 16.0);
        line(svg, (right - 136.0, low - 4.0), (right - 112.0, low - 4.0), &style);
        text(svg, right, low, "end", "12", &format!("aim: at most {aim:.2}×"));
    }
    for (place, (series, colour)) in panel.series.iter().zip(COLOURS).enumerate() {
        // Beside each other, so that whiskers of two series do not hide each other.
        let shift = if place == 0 { 0.0 } else { 7.0 };
        let at = |point: &Point| (x(point.size) + shift, y(point.value));
        let path: Vec<String> = series.points.iter().map(at).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for point in &series.points {
            let (x, middle) = at(point);
            let style = format!("stroke=\"{colour}\" stroke-width=\"1.5\"");
            line(svg, (x, y(point.low)), (x, y(point.high)), &style);
            for end in [point.low, point.high] {
                line(svg, (x - 4.0, y(end)), (x + 4.0, y(end)), &style);
            }
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"4\" fill=\"{colour}\"/>");
        }
        if let Some(last) = series.points.last() {
            // The first above its whisker, the second below.
            let (x, low) = (at(last).0, if place == 0 { y(last.high) - 7.0 } else { y(last.low) + 15.0 });
            text(svg, x, low, "middle", "12", &format!("{:.2}×", last.value));
        }
        // The legend of the panel, in its lower part: lines that matter are above.
        let below = panel.series.len() - 1 - place;
        let (left, low) = (LEFT + 14.0, HEIGHT - BOTTOM - 16.0 - f64::from(u8::try_from(below).unwrap_or(0)) * 18.0);
        let _ = writeln!(svg, "<circle cx=\"{left:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\"/>", low - 4.0);
        text(svg, left + 10.0, low, "start", "12", series.label);
    }
    let middle = f64::midpoint(y(0.0), y(top));
    let _ = writeln!(
        svg,
        "<text transform=\"translate(16 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">CPU a request ÷ smallest</text>"
    );
}

fn log(size: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let size = size.max(1) as f64;
    size.log10()
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), style: &str) {
    let _ = writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>");
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, size: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ =
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{words}</text>");
}
