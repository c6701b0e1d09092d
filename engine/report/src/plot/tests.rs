use super::*;

fn plot(series: &[(&str, &[(f64, f64)])]) -> Plot {
    let series = series.iter().map(|(name, points)| Series { name: (*name).into(), points: points.to_vec() });
    Plot { title: "Loss".into(), x: "step".into(), y: "nats".into(), series: series.collect(), ..Plot::default() }
}

#[test]
fn axes_have_units_and_lines_a_legend() {
    let svg = plot(&[("a<b", &[(0.0, 2.0), (10.0, 1.0)]), ("c", &[(0.0, 3.0)])]).to_svg();
    for text in [">Loss<", ">step<", ">nats<", ">a&lt;b<", ">c<", "prefers-color-scheme:dark"] {
        assert!(svg.contains(text), "{text}: {svg}");
    }
    let alone = plot(&[("a", &[(0.0, 2.0)])]).to_element();
    assert!(!alone.contains(">a<") && !alone.contains("<style>"), "{alone}");
    let named = Plot { named: true, ..plot(&[("a", &[(0.0, 2.0)])]) };
    assert!(named.to_element().contains(">a<"));
}

#[test]
fn lines_are_where_their_numbers_are() {
    let svg = plot(&[("a", &[(0.0, 0.0), (5.0, 1.0), (10.0, 0.5)])]).to_element();
    let (left, right, top, bottom) = (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM);
    let expected =
        format!("M{left:.1} {bottom:.1}L{:.1} {top:.1}L{right:.1} {:.1}", (left + right) / 2.0, (top + bottom) / 2.0);
    assert!(svg.contains(&expected), "no {expected} in {svg}");
    assert_eq!(svg.matches("<circle").count(), 3);
}

#[test]
fn what_is_not_finite_interrupts_a_line() {
    let svg = plot(&[("a", &[(0.0, 0.0), (1.0, 1.0), (2.0, f64::NAN), (3.0, 1.0), (4.0, 0.0)])]).to_element();
    let line = svg.split("class=\"line c0\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!((line.matches('M').count(), line.matches('L').count()), (2, 2), "{line}");
    assert!(!svg.contains("NaN"), "{svg}");
    assert!(plot(&[("a", &[(0.0, f64::NAN)])]).is_empty() && plot(&[]).is_empty());
}

#[test]
fn long_lines_are_thinned() {
    let points: Vec<_> = (0..10_000).map(|i| (f64::from(i), f64::from(i % 2))).collect();
    let svg = plot(&[("a", &points)]).to_element();
    let line = svg.split("class=\"line c0\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(line.matches(['M', 'L']).count(), 500);
    assert!(svg.len() < 20_000, "{}", svg.len());
}

#[test]
fn steps_stand_on_zero() {
    let histogram = Plot { shape: Shape::Steps, ..plot(&[("a", &[(0.0, 50.0), (5.0, 100.0), (10.0, 0.0)])]) };
    let svg = histogram.to_element();
    let (left, right, top, bottom) = (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM);
    let (middle, half) = ((left + right) / 2.0, (top + bottom) / 2.0);
    let expected = format!("M{left:.1} {bottom:.1}V{half:.1}H{middle:.1}V{top:.1}H{right:.1}V{bottom:.1}\"");
    assert!(svg.contains(&expected), "no {expected} in {svg}");
    assert!(svg.contains("class=\"filled c0\""), "{svg}");
}
