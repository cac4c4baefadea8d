"""Parts of pages: words cannot become code, and what is empty leaves nothing behind."""

from xml.etree import ElementTree

from motiondistill.report import elements

EVIL = '<script>"&'


def test_words_are_escaped_and_html_is_not() -> None:
    for html in (
        elements.chips({EVIL: EVIL}, {EVIL: EVIL}),
        elements.legend({EVIL: EVIL}),
        elements.folded(EVIL, "<p>content</p>"),
        elements.warning(EVIL),
        elements.table("facts", (EVIL,), [["<b>head</b>"]]),
    ):
        assert "<script" not in html and "&lt;script&gt;" in html
        ElementTree.fromstring(f"<div>{html}</div>")  # every element is closed
    assert "<p>content</p>" in elements.folded("", "<p>content</p>")
    assert "<b>head</b>" in elements.table("facts", ("",), [["<b>head</b>"]])


def test_what_is_empty_is_not_on_the_page() -> None:
    assert elements.section("Title", "") == elements.warning("") == ""
    assert elements.section("Title", "x") == "<section><h2>Title</h2>x</section>"


def test_a_table_has_its_numbers_on_the_right_and_a_head_in_each_line() -> None:
    html = elements.table("facts", ("a", "b", "c"), [["1", "2", "3"], ["4", "5", "6"]], {1})
    table = ElementTree.fromstring(html)
    aligned = [each.text for each in table.iter() if each.get("class") == "number"]
    assert aligned == ["b", "2", "5"]
    heads = [(each.text, each.get("scope")) for each in table.iter("th")]
    assert heads == [("a", "col"), ("b", "col"), ("c", "col"), ("1", "row"), ("4", "row")]
    assert [each.text for each in table.iter("td")] == ["2", "3", "5", "6"]
