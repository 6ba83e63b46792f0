// The report of `cargo xtask report` as a person sees it: in headless Chromium, on a phone, at a desk, by night.
//
// REPORT is the folder with index.html and expected.json (how many marks of each kind the database asks for), CHROMIUM the
// browser's program. Screenshots go into the same folder. Run by `cargo xtask test report`.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'

const { REPORT, CHROMIUM, CHROMIUM_LIBRARIES } = process.env
const address = pathToFileURL(path.join(REPORT, 'index.html')).href
const expected = JSON.parse(readFileSync(path.join(REPORT, 'expected.json')))
const SCREENS = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 800 } }

const CHARTS = ['recovery', 'heart-rate', 'components', 'goal']
const [SKY, RED, GREEN, INK] = ['#56B4E9', '#D55E00', '#009E73', '#1F2937']

let browser
const home = mkdtempSync(path.join(tmpdir(), 'report-'))
before(async () => {
  const libraries = CHROMIUM_LIBRARIES ? { LD_LIBRARY_PATH: CHROMIUM_LIBRARIES } : {}
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    // What a browser asks its makers in the background is no business of a test.
    args: ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-gpu'],
    env: { ...process.env, ...libraries, HOME: home, XDG_CACHE_HOME: home },
  })
})
after(async () => {
  await browser?.close()
  rmSync(home, { recursive: true, force: true })
})

// The page on a screen, and everything that it complained of or asked for while it opened.
async function opened(screen, colorScheme = 'light') {
  const context = await browser.newContext({ viewport: SCREENS[screen], deviceScaleFactor: 2, colorScheme })
  const page = await context.newPage()
  const complaints = []
  const requests = []
  page.on('console', message => complaints.push(message.text()))
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('dialog', dialog => { complaints.push(dialog.message()); dialog.dismiss() })
  page.on('request', request => requests.push(request.url()))
  await page.goto(address, { waitUntil: 'load' })
  return { page, complaints, requests, close: () => context.close() }
}

for (const screen of Object.keys(SCREENS)) {
  describe(`on a ${screen}`, () => {
    let it
    before(async () => { it = await opened(screen) })
    after(() => it.close())

    test('it asks for nothing and complains of nothing', () => {
      assert.deepEqual(it.complaints, [])
      assert.deepEqual(it.requests.filter(url => url !== address && !url.startsWith('data:')), [])
    })

    test('nothing is wider than the screen, nor than what it lies in', async () => {
      const wide = await it.page.evaluate(() => {
        const width = document.documentElement.clientWidth
        const named = element => `${element.tagName} ${element.textContent.trim().slice(0, 40)}`
        const beyond = [...document.body.querySelectorAll('*')].filter(element => {
          const box = element.getBoundingClientRect()
          return box.width > 0 && (box.left < -0.5 || box.right > width + 0.5) && !element.closest('svg')
        })
        const cut = [...document.querySelectorAll('.wide, .why, h1, h2, h3, p, figure')]
          .filter(element => element.scrollWidth > element.clientWidth + 1)
        return { page: document.documentElement.scrollWidth - width, beyond: beyond.map(named), cut: cut.map(named) }
      })
      assert.deepEqual(wide, { page: 0, beyond: [], cut: [] })
    })

    test('every chart has a mark for each value that the database has', async () => {
      const seen = await it.page.evaluate(() => [...document.querySelectorAll('section')].map(section => {
        const charts = [...section.querySelectorAll('figure')].map(figure => {
          const paper = figure.querySelector('svg').getBoundingClientRect()
          const marks = Object.entries(JSON.parse(figure.dataset.marks)).map(([name, colour]) => {
            const shapes = [...figure.querySelectorAll('circle, rect, polygon')].filter(shape =>
              [shape.getAttribute('fill'), shape.getAttribute('stroke')].includes(colour) && shape.getAttribute('opacity') === '1')
            const sound = shapes.filter(shape => {
              const box = shape.getBoundingClientRect()
              return box.width >= 2 && box.height >= 2 && box.left >= paper.left && box.right <= paper.right &&
                box.top >= paper.top && box.bottom <= paper.bottom && getComputedStyle(shape).visibility === 'visible'
            })
            return [name, sound.length]
          })
          return [figure.dataset.chart, Object.fromEntries(marks)]
        })
        return { name: section.querySelector('h2').textContent, ...Object.fromEntries(charts) }
      }))
      // Each kind has one mark more, in the legend; a projected date has it only where there is one.
      const withLegend = (chart, marks) =>
        Object.fromEntries(Object.entries(marks).map(([name, count]) => [name, count + legend(chart, name, count)]))
      const wanted = expected.map(person => ({
        name: person.name,
        ...Object.fromEntries(CHARTS.map(chart => [chart, withLegend(chart, person[chart])])),
      }))
      assert.deepEqual(seen, wanted)
      assert.ok(expected.some(person => person.goal.projected === 1), 'somebody has a projected date')
      for (const kind of ['score', 'calibrating', 'too few inputs', 'nothing measured']) {
        assert.ok(expected.some(person => person.recovery[kind] > 0), `somebody has a day of the kind: ${kind}`)
      }
    })

    test('marks lie where their days and values say', async () => {
      for (const [index, { scores, ahead }] of expected.entries()) {
        const chart = kind => it.page.locator(`section >> nth=${index} >> figure[data-chart="${kind}"]`)
        const dots = (await middles(chart('recovery'), 'score')).slice(1)
        affine(dots.map(([x]) => x), (scores ?? []).map(([day]) => day), 1)
        affine(dots.map(([, y]) => y), (scores ?? []).map(([, score]) => score), -1)
        if (ahead !== null && ahead <= 60) {
          const days = (await middles(chart('goal'), 'value')).slice(1).map(([x]) => x)
          const [, projected] = await middles(chart('goal'), 'projected')
          // A value for each of thirty days, so what lies between the ends is 29 of them.
          const day = (days.at(-1) - days[0]) / 29
          assert.ok(Math.abs(projected[0] - days.at(-1) - ahead * day) < 1, `${ahead} days ahead`)
        }
      }
    })

    test('baseline, trend, target and the reach of a projected date are drawn where the database has them', async () => {
      for (const [index, { name, scores, baseline, trend, ahead }] of expected.entries()) {
        const shapes = (kind, selector) => it.page.locator(`section >> nth=${index} >> figure[data-chart="${kind}"]`)
          .evaluate((figure, selector) => [...figure.querySelectorAll(selector)].map(shape => {
            const { left, top, width, height } = shape.getBoundingClientRect()
            return { left, top, width, height, middle: top + height / 2 }
          }), selector)
        const line = colour => `polyline[stroke="${colour}"]`
        const band = colour => `polygon[fill="${colour}"]:not([opacity="1"])`

        // A legend's band is the first, and as wide as its line.
        const [, ...usual] = await shapes('heart-rate', band(SKY))
        const [, ...means] = await shapes('heart-rate', line(SKY))
        assert.equal(usual.length, means.length, name)
        assert.equal(usual.length > 0, baseline > 0, name)
        if (scores?.length > 1) {
          // Both charts have the same days below them.
          const dots = (await middles(it.page.locator(`section >> nth=${index} >> figure[data-chart="recovery"]`), 'score')).slice(1)
          const day = (dots.at(-1)[0] - dots[0][0]) / (scores.at(-1)[0] - scores[0][0])
          const days = usual.reduce((sum, { width }) => sum + width, 0) / day
          assert.ok(Math.abs(days - baseline) < 0.5, `${name}: a band of ${days} days, not ${baseline}`)
        }
        for (const [n, mean] of means.entries()) {
          assert.ok(mean.top >= usual[n].top && mean.top + mean.height <= usual[n].top + usual[n].height + 0.5, `${name}: the mean is in its band`)
        }

        const [sample, ...spread] = await shapes('goal', band(RED))
        assert.equal(spread.length, trend ? 1 : 0, name)
        assert.equal(sample !== undefined, trend, name)
        const drawn = (await shapes('goal', line(RED))).filter(({ width }) => width > sample?.width + 1)
        assert.equal(drawn.length > 0, trend, `${name}: a line through the values`)
        if (trend) assert.ok(spread[0].height > 2 && spread[0].width >= drawn[0].width, `${name}: a band about the line`)
        // Two dashes are the legend's.
        const target = (await shapes('goal', line(GREEN))).slice(2)
        assert.ok(target.length > 10 && target.every(({ middle }) => Math.abs(middle - target[0].middle) < 0.5), `${name}: a target`)
        const [, ...reach] = await shapes('goal', line(INK))
        assert.equal(reach.length > 0, ahead !== null, `${name}: from the earliest day to the latest`)
        if (ahead !== null) assert.ok(Math.abs(reach[0].middle - target[0].middle) < 1, `${name}: on the target`)
      }
      assert.ok(expected.some(({ baseline }) => baseline > 20) && expected.some(({ ahead }) => ahead !== null))
    })

    test('texts in charts are large enough, within their charts, and apart', async () => {
      const wrong = await it.page.evaluate(() => {
        const wrong = []
        for (const svg of document.querySelectorAll('svg')) {
          const paper = svg.getBoundingClientRect()
          const texts = [...svg.querySelectorAll('text')].map(text => ({ says: text.textContent.trim(), box: text.getBoundingClientRect() }))
          if (texts.length < 8) wrong.push(`only ${texts.length} texts`)
          for (const [index, { says, box }] of texts.entries()) {
            if (box.height < 11) wrong.push(`too small: ${says} ${box.height}`)
            if (box.left < paper.left - 0.5 || box.right > paper.right + 0.5 || box.top < paper.top - 0.5 || box.bottom > paper.bottom + 0.5) {
              wrong.push(`outside: ${says}`)
            }
            for (const other of texts.slice(index + 1)) {
              const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left)
              const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top)
              // A line's box is higher than its letters.
              if (across > 1 && down > 3) wrong.push(`one over the other: ${says} | ${other.says}`)
            }
          }
        }
        return wrong
      })
      assert.deepEqual(wrong, [])
    })

    test('the picture to look at is kept', async () => {
      await it.page.screenshot({ path: path.join(REPORT, `${screen}.png`), fullPage: true })
    })
  })
}

// Where the marks of a kind are, the legend's first.
function middles(figure, name) {
  return figure.evaluate((figure, name) => {
    const colour = JSON.parse(figure.dataset.marks)[name]
    return [...figure.querySelectorAll(`[fill="${colour}"][opacity="1"]`)].filter(shape => shape.tagName !== 'text').map(shape => {
      const { left, right, top, bottom } = shape.getBoundingClientRect()
      return [(left + right) / 2, (top + bottom) / 2]
    })
  }, name)
}

// That places are a line of values, rising with them (1) or falling (-1), to half a pixel.
function affine(places, values, sign) {
  assert.equal(places.length, values.length)
  if (values.length < 2) return
  const [low, high] = [Math.min, Math.max].map(end => values.indexOf(end(...values)))
  const slope = (places[high] - places[low]) / (values[high] - values[low])
  assert.ok(slope * sign > 0, `the slope is ${slope}`)
  for (const [index, value] of values.entries()) {
    const place = places[low] + slope * (value - values[low])
    assert.ok(Math.abs(places[index] - place) < 0.5, `${value} is at ${places[index]}, not ${place}`)
  }
}

// How many marks a legend has of a kind.
function legend(chart, name, count) {
  if (chart === 'components') return name === 'unknown' ? 1 : 0
  return name === 'projected' ? count : 1
}

test('somebody who cannot see a chart is told what it shows', async () => {
  const it = await opened('phone')
  const images = await it.page.getByRole('img').all()
  assert.equal(images.length, expected.length * 4)
  for (const image of images) {
    const [title, description] = await image.evaluate(svg => [...svg.querySelectorAll('title, desc')].map(part => part.textContent))
    assert.match(title, /\w+: .*\w|What the score/)
    assert.match(description, /\d+ day|not known/)
    const name = await image.getAttribute('aria-labelledby')
    assert.ok(await it.page.evaluate(ids => ids.split(' ').every(id => document.querySelectorAll(`[id="${id}"]`).length === 1), name))
  }
  await it.close()
})

test('the numbers are there as a table, a row for each day', async () => {
  const it = await opened('phone')
  const rows = await it.page.locator('details').evaluateAll(all => all.map(details => details.querySelectorAll('tr').length - 1))
  assert.deepEqual(rows, expected.map(({ recovery }) => Object.values(recovery).reduce((sum, count) => sum + count, 0)))
  await it.page.locator('summary').first().click()
  await it.page.screenshot({ path: path.join(REPORT, 'table.png') })
  assert.equal(await it.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0)
  assert.equal(await it.page.evaluate(() => [...document.querySelectorAll('.wide')].filter(box => box.scrollWidth > box.clientWidth + 1).length), 0)
  await it.close()
})

test('a name is text, whatever it holds', async () => {
  const it = await opened('phone')
  assert.equal(await it.page.title(), 'WellTrack report')
  assert.equal(await it.page.locator('script, img').count(), 0)
  assert.equal(await it.page.locator('h2').first().textContent(), expected[0].name)
  assert.match(expected[0].name, /<script>/)
  await it.close()
})

test('the page says what the score is not', async () => {
  const it = await opened('phone')
  assert.match(await it.page.locator('footer').textContent(), /heuristic without medical meaning/)
  await it.close()
})

for (const scheme of ['light', 'dark']) {
  test(`texts stand out from a ${scheme} ground`, async () => {
    const it = await opened('phone', scheme)
    const faint = await it.page.evaluate(() => {
      const numbers = colour => colour.match(/[\d.]+/g).map(Number)
      const light = colour => numbers(colour).slice(0, 3)
        .map(part => part / 255).map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0)
      const ground = element => {
        const colour = getComputedStyle(element).backgroundColor
        return element.parentElement && numbers(colour)[3] === 0 ? ground(element.parentElement) : colour
      }
      return [...document.querySelectorAll('svg text, h2, h3, p, td, th, a, summary')].flatMap(element => {
        const own = element.closest('svg') ? getComputedStyle(element).fill : getComputedStyle(element).color
        const [low, high] = [light(own), light(ground(element.parentElement))].sort((a, b) => a - b)
        const contrast = (high + 0.05) / (low + 0.05)
        return contrast < 4.5 ? [`${element.textContent.trim().slice(0, 30)}: ${contrast.toFixed(2)}`] : []
      })
    })
    assert.deepEqual(faint, [])
    if (scheme === 'dark') await it.page.screenshot({ path: path.join(REPORT, 'night.png'), fullPage: true })
    await it.close()
  })
}
