// The first page: asks the API about twice a second and shows what it says. All text goes in as text, never as HTML.
'use strict';

const kPollMs = 500;
const kRateSpanMs = 3000;      // events a second are counted over this span
const kSparkPoints = 60;
const kTransitionsShown = 50;
const kEventsShown = 6;

// Products of the demo's data set, as examples/demo/products.csv has them; the colours of the swatches are ours.
const kProducts = [
  {product_id: 'A2', category: 'trousers', colour: 'blue', price: 43, above_average: false, swatch: '#3b62b5'},
  {product_id: 'B4', category: 'skirts', colour: 'olive', price: 52, above_average: true, swatch: '#80803a'},
  {product_id: 'B10', category: 'skirts', colour: 'black', price: 67, above_average: true, swatch: '#1c1c1e'},
  {product_id: 'C5', category: 'blouses', colour: 'pink', price: 48, above_average: true, swatch: '#e58fb0'},
  {product_id: 'P23', category: 'sale', colour: 'gray', price: 28, above_average: false, swatch: '#8b9095'},
  {product_id: 'P60', category: 'sale', colour: 'white', price: 28, above_average: false, swatch: '#f7f7f2'},
];

const $ = (id) => document.getElementById(id);

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// ---- keys: the API key lives in this tab, never in the address ----

function takeKeyFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (!key) return;
  sessionStorage.setItem('attune.key', key);
  history.replaceState(null, '', location.pathname + location.search);
}

function myId() {
  let id = sessionStorage.getItem('attune.me');
  if (!id) {
    id = 'you-' + crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
    sessionStorage.setItem('attune.me', id);
  }
  return id;
}

let me = '';
let shownPerson = '';       // whose behaviour is shown; empty: nobody's
let writeKey = '';          // known in the demo; else typed
let position = '';          // of the last event sent from here: answers include it
let cart = [];

// ---- asking ----

class Refused extends Error {
  constructor(status, text) { super(text); this.status = status; }
}

async function ask(path, headers = {}) {
  const key = sessionStorage.getItem('attune.key') || '';
  const answer = await fetch(path, {headers: {Authorization: 'Bearer ' + key, ...headers}, cache: 'no-store'});
  if (!answer.ok) throw new Refused(answer.status, await problemText(answer));
  return answer.json();
}

async function problemText(answer) {
  try {
    const problem = await answer.json();
    return problem.detail || problem.title || `answer ${answer.status}`;
  } catch {
    return `answer ${answer.status}`;
  }
}

function showTrouble(text) {
  $('trouble').hidden = !text;
  if ($('trouble').textContent !== text) $('trouble').textContent = text;
}

function askForKey(wrong) {
  $('key_form').hidden = false;
  showTrouble(wrong ? 'This key was refused.' : '');
}

// ---- numbers and times ----

const numbers = new Intl.NumberFormat('en');
const formatNumber = (n) => numbers.format(n);

function formatTime(text) {
  const time = new Date(text);
  const clock = time.toLocaleTimeString('en-GB');
  const today = new Date().toDateString() === time.toDateString();
  return today ? clock : time.toLocaleDateString('en-GB', {day: 'numeric', month: 'short'});
}

function formatSpan(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor(s / 60) % 60}m`;
  return `${Math.floor(s / 86400)}d ${Math.floor(s / 3600) % 24}h`;
}

function formatValue(value) {
  if (Array.isArray(value)) return value.map(formatValue).join(', ');
  if (typeof value === 'number') return formatNumber(Math.round(value * 100) / 100);
  if (value && typeof value === 'object') return JSON.stringify(value);
  return String(value);
}

// ---- totals ----

const counts = [];   // {at, events}, the last few seconds
const rates = [];

function showStatus(status) {
  for (const name of ['events', 'users', 'late', 'duplicates', 'dead_letters']) {
    $(name).textContent = formatNumber(status[name]);
  }
  $('uptime').textContent = formatSpan(status.uptime_ms);

  const at = performance.now();
  if (counts.length && status.events < counts[counts.length - 1].events) counts.length = 0;  // a new start
  counts.push({at, events: status.events});
  while (counts.length > 2 && counts[0].at < at - kRateSpanMs) counts.shift();
  const span = at - counts[0].at;
  if (span > 0) showRate((status.events - counts[0].events) * 1000 / span);

  const demo = status.demo || null;
  $('demo_note').hidden = !demo;
  $('shop').hidden = !demo;
  $('write_key_label').hidden = !!demo;
  if (!demo && !$('own').dataset.opened) $('own').open = true;
  $('own').dataset.opened = 'yes';
  if (demo && writeKey !== demo.write_key) {
    writeKey = demo.write_key;
    showCurl();
  }
}

function showRate(rate) {
  $('rate').textContent = formatNumber(rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate));
  rates.push(rate);
  if (rates.length > kSparkPoints) rates.shift();
  const top = Math.max(...rates, 1);
  const points = rates.map((r, i) => `${(i + kSparkPoints - rates.length) * 120 / (kSparkPoints - 1)},${26 - 24 * r / top}`);
  $('spark').firstElementChild.setAttribute('points', points.join(' '));
}

// ---- segments ----

const segmentRows = new Map();  // name -> {row, size, ...}

function segmentRow(name) {
  let entry = segmentRows.get(name);
  if (entry) return entry;
  const row = make('li');
  entry = {row, size: null, number: make('span', 'size'), bar: make('i'), about: make('span', 'about')};
  const bar = make('div', 'bar');
  bar.append(entry.bar);
  row.append(make('span', 'name', name), entry.number, bar, entry.about);
  segmentRows.set(name, entry);
  return entry;
}

function flash(row, direction) {
  row.classList.remove('up', 'down');
  void row.offsetWidth;  // restarts the animation
  row.classList.add(direction);
}

function showSegments(segments) {
  segments.sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
  const largest = segments.length ? Math.max(segments[0].size, 1) : 1;
  const names = new Set(segments.map((s) => s.name));
  for (const [name, entry] of segmentRows) {
    if (!names.has(name)) { entry.row.remove(); segmentRows.delete(name); }
  }
  segments.forEach((segment, i) => {
    const entry = segmentRow(segment.name);
    if (entry.about.textContent !== (segment.description || '')) entry.about.textContent = segment.description || '';
    if (entry.size !== segment.size) {
      if (entry.size !== null) flash(entry.row, segment.size > entry.size ? 'up' : 'down');
      entry.size = segment.size;
      entry.number.textContent = formatNumber(segment.size);
    }
    const share = 100 * segment.size / largest;
    entry.bar.style.width = segment.size ? `max(2px, ${share}%)` : '0';
    if ($('segments').children[i] !== entry.row) $('segments').insertBefore(entry.row, $('segments').children[i] || null);
  });
  $('segments_empty').hidden = segments.length > 0;
  if (!segments.length) $('segments_empty').textContent = 'The plan has no segments.';
}

// ---- transitions ----

let newestSequence = -1;

function transitionRow(transition) {
  const row = make('li');
  const time = make('time', '', formatTime(transition.at));
  time.dateTime = transition.at;
  time.title = transition.at;
  const who = make('button', '', transition.user);
  who.type = 'button';
  who.title = 'What is known about ' + transition.user;
  who.addEventListener('click', () => showPerson(transition.user));
  const what = make('span', 'what ' + (transition.change === 'enter' ? 'enter' : 'leave'), transition.segment);
  what.title = transition.change === 'enter' ? 'entered' : 'left';
  if (transition.corrected) what.classList.add('corrected');
  row.append(time, who, what);
  return row;
}

function showTransitions(transitions) {
  const list = $('transitions');
  if (transitions.length && transitions[0].sequence < newestSequence) {  // a new start
    newestSequence = -1;
    list.replaceChildren();
  }
  const fresh = transitions.filter((t) => t.sequence > newestSequence);
  const first = newestSequence < 0;
  for (const transition of fresh.reverse()) {
    const row = transitionRow(transition);
    if (!first) row.className = 'new';
    list.prepend(row);
    newestSequence = Math.max(newestSequence, transition.sequence);
  }
  while (list.children.length > kTransitionsShown) list.lastElementChild.remove();
  $('transitions_empty').hidden = list.children.length > 0;
}

// ---- one person ----

function showPerson(user) {
  shownPerson = user;
  $('person_name').textContent = user === me ? 'You' : user;
  $('back_to_me').hidden = user === me;
  askPerson().catch(() => {});
}

async function askPerson() {
  const user = shownPerson;
  if (!user) return;
  const headers = user === me && position ? {'Attune-Position': position} : {};
  let behaviour;
  try {
    behaviour = await ask(`/user/${encodeURIComponent(user)}/behavior?limit=${kEventsShown}`, headers);
  } catch (error) {
    if (error.status !== 404) throw error;
    behaviour = {segments: [], metrics: {}, recent_events: []};
  }
  if (user === shownPerson) showBehaviour(behaviour);
}

function showBehaviour(behaviour) {
  $('person').hidden = false;
  const traits = Object.entries(behaviour.traits || {}).map(([name, value]) => `${name}: ${formatValue(value)}`);
  const session = behaviour.session;
  if (session) traits.push(`visit since ${formatTime(session.start)}, ${formatNumber(session.events)} events`);
  $('person_facts').textContent = traits.join(' · ');

  const segments = (behaviour.segments || []).map((segment) => {
    const row = make('li', '', segment.name);
    row.title = 'since ' + segment.since;
    if (segment.until) row.append(make('span', 'until', ' ' + formatSpan(new Date(segment.until) - Date.now())));
    if (segment.until) row.title += ', until ' + segment.until + ' if nothing happens';
    return row;
  });
  if (!segments.length) segments.push(make('li', 'none', 'In no segment.'));
  $('person_segments').replaceChildren(...segments);

  const metrics = Object.entries(behaviour.metrics || {}).filter(([, value]) => value !== null);
  $('person_metrics').replaceChildren(
      ...metrics.flatMap(([name, value]) => [make('dt', '', name), make('dd', '', formatValue(value))]));

  const events = (behaviour.recent_events || []).slice(0, kEventsShown).map((event) => {
    const row = make('li');
    const at = event.timestamp || event.time || event.at;
    const what = make('span', '', event.event || event.name || event.type);
    const properties = Object.entries(event.properties || {}).map(([name, value]) => `${name} ${formatValue(value)}`);
    if (properties.length) what.append(make('small', '', ' ' + properties.join(', ')));
    row.append(make('time', '', at ? formatTime(at) : ''), what);
    return row;
  });
  $('person_events').replaceChildren(...events);
}

// ---- sending ----

async function send(user, event, properties, key = writeKey) {
  const body = {type: 'track', event, userId: user, properties, messageId: crypto.randomUUID ? crypto.randomUUID() : undefined};
  const began = performance.now();
  const answer = await fetch('/v1/track', {
    method: 'POST',
    headers: {'Content-Type': 'application/json', Authorization: 'Basic ' + btoa(key + ':')},
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Refused(answer.status, await problemText(answer));
  const result = await answer.json();
  const rejected = (result.rejected || [])[0];
  if (rejected) throw new Refused(answer.status, `${rejected.reason} ${rejected.field || ''} ${rejected.detail || ''}`);
  position = answer.headers.get('Attune-Position') || position;
  return Math.max(1, Math.round(performance.now() - began));
}

async function sendAndShow(user, event, properties, key) {
  try {
    const ms = await send(user, event, properties, key);
    $('sent').textContent = `${event}: on disk and answered in ${ms} ms.`;
    showPerson(user);
  } catch (error) {
    $('sent').textContent = `${event} was not taken: ${error.message}`;
  }
}

function propertiesOf(product) {
  const {swatch, ...properties} = product;
  return {...properties, shop: 'eshop'};
}

function showCart() {
  const total = cart.reduce((sum, product) => sum + product.price, 0);
  const things = cart.length === 1 ? '1 thing' : `${cart.length} things`;
  $('cart').textContent = cart.length ? `In the cart: ${things}, $${total}` : 'The cart is empty.';
  $('buy').disabled = !cart.length;
}

function openShop() {
  for (const product of kProducts) {
    const item = make('li');
    const look = make('button', 'look');
    look.type = 'button';
    look.title = 'Look at it: product_viewed';
    const swatch = make('div', 'swatch');
    swatch.style.backgroundColor = product.swatch;
    look.append(swatch, make('b', '', `${product.category} ${product.product_id}`),
                make('span', '', `${product.colour}, $${product.price}`));
    look.addEventListener('click', () => sendAndShow(me, 'product_viewed', propertiesOf(product)));
    const add = make('button', 'add', 'Add to cart');
    add.type = 'button';
    add.addEventListener('click', () => {
      cart.push(product);
      showCart();
      sendAndShow(me, 'add_to_cart', propertiesOf(product));
    });
    item.append(look, add);
    $('products').append(item);
  }
  $('buy').addEventListener('click', async () => {
    const bought = cart;
    cart = [];
    showCart();
    for (const product of bought) await sendAndShow(me, 'purchase', propertiesOf(product));
  });
}

// What the form would send; null when its properties are not a JSON object.
function formEvent() {
  const form = $('send_form').elements;
  try {
    const properties = form.properties.value.trim() ? JSON.parse(form.properties.value) : {};
    if (typeof properties !== 'object' || properties === null || Array.isArray(properties)) return null;
    return {user: form.user.value, event: form.event.value, properties, key: writeKey || form.write_key.value};
  } catch {
    return null;
  }
}

// Text within single quotes of a shell.
const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

function showCurl() {
  const event = formEvent();
  const body = event && JSON.stringify({event: event.event, userId: event.user, properties: event.properties});
  const key = event && (writeKey || 'WRITE_KEY') + ':';
  $('curl').textContent = event ? `curl -u ${quoted(key)} ${location.origin}/v1/track -d ${quoted(body)}`
                                : 'The properties are not a JSON object.';
  $('copy').hidden = !event;
}

async function copyCurl() {
  try {
    await navigator.clipboard.writeText($('curl').textContent);
    $('copy').textContent = 'Copied';
    setTimeout(() => { $('copy').textContent = 'Copy'; }, 1500);
  } catch {
    getSelection().selectAllChildren($('curl'));
  }
}

// ---- the round ----

async function poll() {
  const [status, segments, transitions] = await Promise.all(
      [ask('/v1/status'), ask('/v1/segments'), ask(`/v1/transitions?limit=${kTransitionsShown}`)]);
  showTrouble('');
  $('key_form').hidden = true;
  showStatus(status);
  showSegments(segments.segments);
  showTransitions(transitions.transitions);
  await askPerson();
}

let round = 0;

async function run() {
  const mine = ++round;
  while (mine === round) {
    if (!document.hidden) {
      try {
        await poll();
      } catch (error) {
        if (error.status === 401 || error.status === 403) return askForKey(!!sessionStorage.getItem('attune.key'));
        showTrouble(error instanceof Refused ? `The server says: ${error.message}` : 'The server does not answer. Trying again …');
      }
    }
    await new Promise((resolve) => setTimeout(resolve, kPollMs));
  }
}

function begin() {
  takeKeyFromAddress();
  me = myId();
  $('me').textContent = me;
  const form = $('send_form');
  form.elements.user.value = me;
  form.elements.properties.value = '{"product_id": "B10", "category": "skirts", "price": 67}';
  form.addEventListener('input', showCurl);
  form.addEventListener('submit', (submit) => {
    submit.preventDefault();
    const event = formEvent();
    if (!event) { $('sent').textContent = 'The properties are not a JSON object.'; return; }
    sendAndShow(event.user, event.event, event.properties, event.key);
  });
  $('copy').addEventListener('click', copyCurl);
  $('back_to_me').addEventListener('click', () => showPerson(me));
  $('key_form').addEventListener('submit', (submit) => {
    submit.preventDefault();
    sessionStorage.setItem('attune.key', $('key_input').value.trim());
    $('key_input').value = '';
    run();
  });
  window.addEventListener('hashchange', () => { takeKeyFromAddress(); run(); });
  openShop();
  showCart();
  showCurl();
  if (sessionStorage.getItem('attune.key')) run(); else askForKey(false);
}

begin();
