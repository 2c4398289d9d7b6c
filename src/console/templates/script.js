'use strict'
// The pages work without this file. It copies, shows times of this place, sends a form once, and takes a shown key off a page that is left.
for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = !navigator.clipboard
  button.addEventListener('click', async () => {
    const said = document.querySelector('[data-copied]')
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent)
      said.textContent = 'Copied.'
    } catch {
      said.textContent = 'The browser did not copy it: select the text and copy it yourself.'
    }
  })
}

for (const time of document.querySelectorAll('time')) {
  time.title = new Date(time.dateTime).toLocaleString()
}

for (const form of document.querySelectorAll('form[method=post]')) {
  form.addEventListener('submit', event => {
    if (form.dataset.sent) event.preventDefault()
    form.dataset.sent = 'yes'
    // The browser may stop it: the form can be sent again later, and the server knows it.
    setTimeout(() => delete form.dataset.sent, 5000)
  })
}

addEventListener('pageshow', event => {
  if (event.persisted) for (const form of document.forms) delete form.dataset.sent
})

addEventListener('pagehide', () => {
  for (const secret of document.querySelectorAll('[data-secret]')) secret.textContent = 'No longer shown'
})
