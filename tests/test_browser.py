"""The browser of the tests sees what it must: errors, requests and drawings."""

from pathlib import Path

from browser import opened_page

PAGE = """<!doctype html><title>t</title><link rel=icon href="data:,"><canvas id=c></canvas><script>
const gl = document.getElementById("c").getContext("webgl2", {preserveDrawingBuffer: true});
gl.clearColor(1, 0, 0, 1); gl.clear(gl.COLOR_BUFFER_BIT);
const pixel = new Uint8Array(4);
gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
document.title = pixel.join();
</script>"""


def test_a_page_draws_and_what_goes_wrong_on_it_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(PAGE, encoding="utf-8")
    with opened_page() as (page, watch):
        page.goto(file.as_uri())
        assert page.title() == "255,0,0,255"
        assert (watch.errors, watch.requests) == ([], [])
        page.evaluate("fetch('http://127.0.0.1:9/x').catch(() => 0)")
        page.evaluate("setTimeout(() => { throw new Error('broken') })")
        page.wait_for_timeout(50)
        assert watch.requests == ["http://127.0.0.1:9/x"]
        assert any("broken" in error for error in watch.errors)
