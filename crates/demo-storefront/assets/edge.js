// Refreshes the rows of the page each second while it is visible.
(function () {
  "use strict";
  var rows = document.getElementById("rows");
  setInterval(function () {
    if (document.hidden) return;
    fetch("/edge/rows")
      .then(function (answer) {
        return answer.ok ? answer.text() : Promise.reject(answer.status);
      })
      .then(function (html) {
        rows.innerHTML = html;
      })
      .catch(function () {
        // The demo has ended, or answers again soon.
      });
  }, 1000);
})();
